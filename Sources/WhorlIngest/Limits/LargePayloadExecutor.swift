import WhorlThreads

/// Runs the work on large payloads one after another on a dedicated thread, so that a few large payloads cannot occupy
/// the threads of all other requests.
struct LargePayloadExecutor: Sendable {
    /// Size in bytes above which a decoded payload counts as large.
    ///
    /// Typical events are smaller. Processing a typical event takes a third of a millisecond; the most expensive events
    /// take about six milliseconds.
    static let threshold = 48 << 10

    private let thread = WorkThread(name: "large-payloads")

    /// Runs the work on the dedicated thread if the payload is large, otherwise on the current thread.
    func run<Value: Sendable, Failure: Error>(
        bytes: Int,
        _ work: @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        bytes > Self.threshold ? try await thread.run(work) : try work()
    }
}
