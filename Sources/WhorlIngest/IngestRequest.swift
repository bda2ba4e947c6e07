import Foundation

/// A request of the write side, free of any server's types.
struct IngestRequest: Sendable {
    /// What the path asks for.
    enum Route: Sendable {
        case envelope
        case store
    }

    var route: Route
    /// The project in the path; nil on the antique `/api/store/`.
    var projectID: String?
    var isGet = false
    /// By lower-case name.
    var headers: [String: String]
    var query: [String: String]
    var body: ReceivedBody
    /// Where the request came from, trusted proxies taken into account.
    var clientAddress: String?
    var receivedAt: Date
    var arrived: ContinuousClock.Instant

    /// Whether the body is an envelope; old SDKs send some to the place for single events.
    var isEnvelope: Bool {
        route == .envelope
            || headers["content-type"]?.lowercased().hasPrefix("application/x-sentry-envelope") ?? false
    }
}
