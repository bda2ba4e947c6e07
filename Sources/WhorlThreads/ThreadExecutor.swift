import Foundation
import Synchronization

/// A serial executor that owns one thread, for an actor whose methods block.
///
/// The cooperative thread pool has one thread per core, so a call that blocks there stops unrelated tasks. An actor
/// that uses this executor blocks only its own thread. Blocking code calls ``assertIsCurrent()`` before it waits, so
/// that a debug build detects a call on another thread.
package final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    // Guarded by `condition`.
    private var jobs: [UnownedJob] = []
    private var isStopping = false
    private let condition = NSCondition()
    private let threadID = Mutex<pthread_t?>(nil)

    /// Starts the thread; `stackBytes` is the size of its stack.
    package init(name: String, stackBytes: Int = 1 << 20) {
        let thread = Thread { [self] in loop() }
        thread.name = name
        thread.stackSize = stackBytes
        thread.start()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    package func checkIsolated() {
        precondition(isCurrent, "not on this executor's thread")
    }

    /// Stops a debug build when the caller does not run on this executor's thread.
    package func assertIsCurrent() {
        assert(isCurrent, "a blocking call runs outside of its thread")
    }

    /// Whether the caller runs on this executor's thread.
    package var isCurrent: Bool {
        threadID.withLock { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    /// Ends the thread after the queued jobs; the owner calls it on deinitialization.
    package func stop() {
        condition.lock()
        isStopping = true
        condition.signal()
        condition.unlock()
    }

    private func loop() {
        threadID.withLock { $0 = pthread_self() }
        while true {
            condition.lock()
            while jobs.isEmpty, !isStopping { condition.wait() }
            let batch = jobs
            jobs.removeAll(keepingCapacity: true)
            condition.unlock()
            if batch.isEmpty { return }
            for job in batch { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }
}
