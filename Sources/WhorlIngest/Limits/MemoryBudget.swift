import Synchronization

/// How many bytes the bodies of all requests may take together, as received and inflated.
///
/// Who does not fit waits; who waits too long, or behind too many, is refused. So memory stays bounded whatever arrives.
package actor MemoryBudget {
    private struct Waiter {
        let id: Int
        let bytes: Int
        let answer: CheckedContinuation<Bool, Never>
    }

    private static let maxWaiters = 1_000

    private let capacity: Int
    private let patience: Duration
    private var used = 0
    private var waiters: [Waiter] = []
    private var nextWaiter = 0

    /// A budget of so many bytes, for which a request waits no longer than `patience`.
    package init(bytes: Int, patience: Duration = .seconds(5)) {
        capacity = bytes
        self.patience = patience
    }

    /// Takes so many bytes; false when they did not come free in time.
    ///
    /// More than there are counts as all there are.
    func take(_ bytes: Int) async -> Bool {
        let bytes = min(bytes, capacity)
        if waiters.isEmpty, used + bytes <= capacity {
            used += bytes
            return true
        }
        guard waiters.count < Self.maxWaiters else { return false }
        nextWaiter += 1
        let id = nextWaiter
        return await withCheckedContinuation { answer in
            waiters.append(Waiter(id: id, bytes: bytes, answer: answer))
            // Ends after the patience; the waiter is gone by then or goes with it.
            Task {
                try? await Task.sleep(for: patience)
                give(up: id)
            }
        }
    }

    /// Gives bytes back.
    func free(_ bytes: Int) {
        used -= min(bytes, capacity)
        while let first = waiters.first, used + first.bytes <= capacity {
            waiters.removeFirst()
            used += first.bytes
            first.answer.resume(returning: true)
        }
    }

    private func give(up id: Int) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        waiters.remove(at: index).answer.resume(returning: false)
    }
}
