import Synchronization

/// How many bytes something may take in all requests together, such as their bodies.
///
/// Who does not fit waits, in order; who waits too long, or behind too many, is refused. So memory stays bounded whatever
/// arrives.
package final class MemoryBudget: Sendable {
    private struct Waiter {
        let id: Int
        let bytes: Int
        let answer: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var used = 0
        var waiters: [Waiter] = []
        var nextWaiter = 0
    }

    private static let maxWaiters = 1_000

    private let capacity: Int
    private let patience: Duration
    private let state = Mutex(State())

    /// A budget of so many bytes, for which a request waits no longer than `patience`.
    package init(bytes: Int, patience: Duration = .seconds(5)) {
        capacity = bytes
        self.patience = patience
    }

    /// Takes so many bytes if they are free and nobody waits; more than there are counts as all there are.
    func tryTake(_ bytes: Int) -> Bool {
        let bytes = min(bytes, capacity)
        return state.withLock { state in
            guard state.waiters.isEmpty, state.used + bytes <= capacity else { return false }
            state.used += bytes
            return true
        }
    }

    /// Takes so many bytes, waiting for them where they are not free; false when they did not come free in time.
    func take(_ bytes: Int) async -> Bool {
        if tryTake(bytes) { return true }
        return await withCheckedContinuation { answer in
            let id = state.withLock { state -> Int? in
                guard state.waiters.count < Self.maxWaiters else { return nil }
                state.nextWaiter += 1
                state.waiters.append(Waiter(id: state.nextWaiter, bytes: min(bytes, capacity), answer: answer))
                return state.nextWaiter
            }
            guard let id else {
                answer.resume(returning: false)
                return
            }
            serve()
            // Ends after the patience; the waiter is gone by then or goes with it.
            Task {
                try? await Task.sleep(for: patience)
                giveUp(id)
            }
        }
    }

    /// Gives bytes back.
    func free(_ bytes: Int) {
        state.withLock { $0.used -= min(bytes, capacity) }
        serve()
    }

    /// Lets in those at the front who fit now.
    private func serve() {
        let served = state.withLock { state in
            var served: [Waiter] = []
            while let first = state.waiters.first, state.used + first.bytes <= capacity {
                state.waiters.removeFirst()
                state.used += first.bytes
                served.append(first)
            }
            return served
        }
        for waiter in served { waiter.answer.resume(returning: true) }
    }

    private func giveUp(_ id: Int) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
        }
        waiter?.answer.resume(returning: false)
        if waiter != nil { serve() }
    }
}
