import Synchronization
import WhorlThreads

/// Limits the requests that run at the same time for each key; further ones wait in order, for a bounded time.
final class Gate<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var lines: GateQueues<Key>
        var turns: [Int: CheckedContinuation<GateRefusal?, Never>] = [:]
        var requests = 0
    }

    private let state: Mutex<State>
    private let maxWait: Duration

    /// Creates a gate with `places` running and `waitingPlaces` waiting requests for each key.
    ///
    /// No request waits longer than `maxWait`.
    init(places: Int, waitingPlaces: Int, maxWait: Duration = .seconds(5)) {
        state = Mutex(State(lines: GateQueues(places: places, waitingPlaces: waitingPlaces)))
        self.maxWait = maxWait
    }

    /// Returns a place as soon as one is free; throws ``GateRefusal``.
    func enter(_ key: Key) async throws(GateRefusal) -> GatePlace {
        let request = state.withLock { state in
            state.requests += 1
            return state.requests
        }
        let refusal = await withTimeout(maxWait) {
            self.giveUp(request, key)
        } register: { (turn: CheckedContinuation<GateRefusal?, Never>) in
            let answer = state.withLock { state in
                let answer = state.lines.enter(request, key)
                if answer == .waits { state.turns[request] = turn }
                return answer
            }
            switch answer {
            case .enters: turn.resume(returning: nil)
            case .refused: turn.resume(returning: .full)
            case .waits: break
            }
        }
        if let refusal { throw refusal }
        return GatePlace { self.leave(key) }
    }

    private func leave(_ key: Key) {
        let next = state.withLock { state in state.lines.leave(key).flatMap { state.turns.removeValue(forKey: $0) } }
        next?.resume(returning: nil)
    }

    private func giveUp(_ request: Int, _ key: Key) {
        let turn = state.withLock { state in
            state.lines.giveUp(request, key) ? state.turns.removeValue(forKey: request) : nil
        }
        turn?.resume(returning: .late)
    }
}

/// The reason why a gate refuses a request.
enum GateRefusal: Error {
    /// Too many requests are waiting.
    case full
    /// No place became free in time.
    case late
}

/// A place in a gate, held until ``leave()`` or deinitialization.
final class GatePlace: Sendable {
    private let whenLeft: Mutex<(@Sendable () -> Void)?>

    init(whenLeft: @escaping @Sendable () -> Void) { self.whenLeft = Mutex(whenLeft) }

    deinit { leave() }

    /// Releases the place for the next request; further calls do nothing.
    func leave() {
        let action = whenLeft.withLock { action in
            defer { action = nil }
            return action
        }
        action?()
    }
}
