import Synchronization
import WhorlThreads

/// Lets in so many at once for each key, and lets the others wait in order, for a bounded time.
final class Gate<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var lines: GateLines<Key>
        var turns: [Int: CheckedContinuation<GateRefusal?, Never>] = [:]
        var visitors = 0
    }

    private let state: Mutex<State>
    private let patience: Duration

    /// A gate with so many places inside and in line for each key; nobody waits longer than `patience`.
    init(places: Int, waitingPlaces: Int, patience: Duration = .seconds(5)) {
        state = Mutex(State(lines: GateLines(places: places, waitingPlaces: waitingPlaces)))
        self.patience = patience
    }

    /// A place inside, once one is free; throws ``GateRefusal``.
    func enter(_ key: Key) async throws(GateRefusal) -> GatePlace {
        let visitor = state.withLock { state in
            state.visitors += 1
            return state.visitors
        }
        let refusal = await withTimeout(patience) {
            self.giveUp(visitor, key)
        } register: { (turn: CheckedContinuation<GateRefusal?, Never>) in
            let answer = state.withLock { state in
                let answer = state.lines.come(visitor, key)
                if answer == .waits { state.turns[visitor] = turn }
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

    private func giveUp(_ visitor: Int, _ key: Key) {
        let turn = state.withLock { state in
            state.lines.giveUp(visitor, key) ? state.turns.removeValue(forKey: visitor) : nil
        }
        turn?.resume(returning: .late)
    }
}

/// Why somebody does not come through a gate.
enum GateRefusal: Error {
    /// Too many wait already.
    case full
    /// No place came free in time.
    case late
}

/// A place inside a gate, until it is left or nobody refers to it any more.
final class GatePlace: Sendable {
    private let whenLeft: Mutex<(@Sendable () -> Void)?>

    init(whenLeft: @escaping @Sendable () -> Void) { self.whenLeft = Mutex(whenLeft) }

    deinit { leave() }

    /// Gives the place to the next one; a second time does nothing.
    func leave() {
        let action = whenLeft.withLock { action in
            defer { action = nil }
            return action
        }
        action?()
    }
}
