import Foundation

/// A request of the write side, free of any server's types.
package struct IngestRequest: Sendable {
    /// What the path asks for.
    package enum Route: Sendable {
        case envelope
        case store
    }

    package var route: Route
    /// The project in the path; nil on the antique `/api/store/`.
    package var projectID: String?
    package var isGet = false
    /// By lower-case name.
    package var headers: [String: String]
    package var query: [String: String]
    package var body: ReceivedBody
    /// Where the request came from, trusted proxies taken into account.
    package var clientAddress: String?
    package var receivedAt: Date
    package var arrived: ContinuousClock.Instant

    package init(
        route: Route,
        projectID: String?,
        isGet: Bool = false,
        headers: [String: String],
        query: [String: String],
        body: ReceivedBody,
        clientAddress: String?,
        receivedAt: Date,
        arrived: ContinuousClock.Instant
    ) {
        self.route = route
        self.projectID = projectID
        self.isGet = isGet
        self.headers = headers
        self.query = query
        self.body = body
        self.clientAddress = clientAddress
        self.receivedAt = receivedAt
        self.arrived = arrived
    }

    /// Whether the body is an envelope; old SDKs send some to the place for single events.
    package var isEnvelope: Bool {
        route == .envelope
            || headers["content-type"]?.lowercased().hasPrefix("application/x-sentry-envelope") ?? false
    }
}
