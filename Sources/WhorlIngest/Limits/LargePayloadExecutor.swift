import WhorlThreads

/// Does the work on large bodies, one after the other, on a thread of its own: a few of them must not take the threads on
/// which everybody else's requests run.
struct LargePayloadExecutor: Sendable {
    /// What is larger than this, inflated, counts as heavy.
    ///
    /// Usual events are smaller. Their whole way takes a third of a millisecond, that of the worst about six.
    static let threshold = 48 << 10

    private let thread = WorkThread(name: "heavy")

    /// Runs the body on the thread when it is heavy, else at once.
    func run<Value: Sendable>(bytes: Int, _ body: @Sendable () throws -> Value) async throws -> Value {
        bytes > Self.threshold ? try await thread.run(body) : try body()
    }
}
