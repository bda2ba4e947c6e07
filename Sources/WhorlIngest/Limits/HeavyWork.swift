import WhorlThreads

/// Does the work on large bodies, one after the other, on a thread of its own: a few of them must not take the threads on
/// which everybody else's requests run.
actor HeavyWork {
    /// What is larger than this, inflated, counts as heavy.
    static let threshold = 128 << 10

    private nonisolated let executor = ThreadExecutor(name: "heavy")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    deinit { executor.stop() }

    /// Runs the body here when it is heavy, else at once.
    nonisolated func run<Value: Sendable>(
        bytes: Int,
        _ body: @Sendable () throws -> Value
    ) async throws -> Value {
        bytes > Self.threshold ? try await onThread(body) : try body()
    }

    private func onThread<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { try body() }
}
