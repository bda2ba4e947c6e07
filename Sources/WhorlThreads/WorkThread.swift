/// A thread for work that would hold up the cooperative thread pool: one piece after the other, in order.
///
/// Pieces are short (one event, one answer), so that several callers take turns.
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
