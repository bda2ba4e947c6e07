import DequeModule
import Synchronization

/// A queue between tasks that add work and the one task that takes it.
///
/// Unlike an `AsyncStream`, it does not end when that task is cancelled: added work is always taken. The queue itself
/// is unbounded, so the tasks that add work must limit it.
package final class WorkQueue<Work: Sendable>: Sendable {
    private struct State {
        var work: Deque<Work> = []
        var isFinished = false
        /// The continuation of the task that waits for work.
        var taker: CheckedContinuation<Work?, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds work at the end; after ``finish()`` it is dropped.
    package func add(_ work: Work) {
        let taker = state.withLock { state -> CheckedContinuation<Work?, Never>? in
            guard !state.isFinished else { return nil }
            guard let taker = state.taker else {
                state.work.append(work)
                return nil
            }
            state.taker = nil
            return taker
        }
        taker?.resume(returning: work)
    }

    /// Ends the queue after the work in it is taken.
    package func finish() {
        let taker = state.withLock { state in
            state.isFinished = true
            defer { state.taker = nil }
            return state.taker
        }
        taker?.resume(returning: nil)
    }

    /// The next work; nil at the end.
    ///
    /// Must not be called concurrently.
    package func next() async -> Work? {
        await withCheckedContinuation { taker in
            let next = state.withLock { state -> Work?? in
                if let work = state.work.popFirst() { return .some(work) }
                if state.isFinished { return .some(nil) }
                state.taker = taker
                return nil
            }
            if let next { taker.resume(returning: next) }
        }
    }
}
