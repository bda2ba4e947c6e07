import WhorlThreads

/// Runs the work on large payloads one after the other on a thread of its own, so that a few of them cannot occupy the
/// threads on which all other requests run.
struct LargePayloadExecutor: Sendable {
    /// Size of a decoded payload from which on it counts as large.
    ///
    /// Usual events are smaller. Processing one takes a third of a millisecond; the most expensive take about six.
    static let threshold = 48 << 10

    private let thread = WorkThread(name: "large-payloads")

    /// Runs the work on the thread when the payload is large, else at once.
    func run<Value: Sendable, Failure: Error>(
        bytes: Int,
        _ work: @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        bytes > Self.threshold ? try await thread.run(work) : try work()
    }
}
