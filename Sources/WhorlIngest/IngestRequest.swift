import Foundation
import WhorlProcessing

/// A request of the write side, free of any server's types.
package struct IngestRequest: Sendable {
    /// What the path asks for.
    package enum Route: Sendable {
        case envelope
        case store
    }

    /// The header fields that ingest reads.
    package struct Headers: Sendable {
        package var sentryAuth: String?
        package var authorization: String?
        package var contentType: String?
        package var contentEncoding: String?
        package var origin: String?
        package var referer: String?

        package init() {}
    }

    package var route: Route
    /// The project in the path; nil on the antique `/api/store/`.
    package var projectID: String?
    package var isGet = false
    package var headers: Headers
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
        headers: Headers,
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
            || headers.contentType?.lowercased().hasPrefix("application/x-sentry-envelope") ?? false
    }

    /// The bytes to decode: the body, or the parameter `sentry_data` of a GET.
    var receivedBody: [UInt8] {
        route == .store && isGet ? Array((query["sentry_data"] ?? "").utf8) : body.bytes
    }

    /// Whose shares of memory the request uses: its address, and its project once the key is known.
    func memoryOwners(_ key: AuthorizedKey?) -> [MemoryShares.Owner] {
        [
            .address(AddressNetwork.name(clientAddress ?? "")),
            key.map { .project($0.info.projectID) } ?? .unknown,
        ]
    }
}
