import Foundation
import WhorlProcessing

/// An ingest request, independent of the types of the HTTP server.
package struct IngestRequest: Sendable {
    /// The endpoint of the request.
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
    /// The project in the path; nil for the legacy path `/api/store/`.
    package var projectID: String?
    package var isGet = false
    package var headers: Headers
    package var query: [String: String]
    package var body: ReceivedBody
    /// The address of the client; trusted proxies are taken into account.
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

    /// Whether the body is an envelope; old SDKs also send envelopes to the store endpoint.
    package var isEnvelope: Bool {
        route == .envelope
            || headers.contentType?.lowercased().hasPrefix("application/x-sentry-envelope") ?? false
    }

    /// The bytes to decode: the body, or the parameter `sentry_data` of a GET.
    var receivedBody: [UInt8] {
        route == .store && isGet ? Array((query["sentry_data"] ?? "").utf8) : body.bytes
    }

    /// The owners whose memory shares the request uses: its address, and its project once the key is known.
    func memoryOwners(_ key: AuthorizedKey?) -> [MemoryShares.Owner] {
        [
            .address(AddressNetwork.name(clientAddress ?? "")),
            key.map { .project($0.info.projectID) } ?? .unknown,
        ]
    }
}
