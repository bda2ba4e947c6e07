/// A thread for work that would block the cooperative thread pool; pieces of work run one after another, in order.
///
/// Pieces are short (one event, one response), so that several callers can share the thread.
package actor WorkThread {
    private nonisolated let executor: ThreadExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init(name: String) { executor = ThreadExecutor(name: name) }

    deinit { executor.stop() }

    /// Runs the work on the thread and returns its result.
    package func run<Value: Sendable, Failure: Error>(
        _ work: @Sendable () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try work()
    }
}
