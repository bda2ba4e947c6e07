import Foundation
import Synchronization

/// A serial executor that owns one thread, so that an actor may block without holding up anybody else.
///
/// libpq waits for the network with `poll`; on the shared thread pool such a wait would stop unrelated tasks.
package final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    // Guarded by `condition`.
    private var jobs: [UnownedJob] = []
    private var isStopping = false
    private let condition = NSCondition()
    private let threadID = Mutex<pthread_t?>(nil)

    package init(name: String) {
        let thread = Thread { [self] in loop() }
        thread.name = name
        thread.stackSize = 1 << 20
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

    package func isIsolatingCurrentContext() -> Bool? {
        threadID.withLock { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    package func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "not on this executor's thread")
    }

    /// Ends the thread after the jobs that are already queued; the owner calls it when it is released.
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
