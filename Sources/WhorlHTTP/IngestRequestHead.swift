import Foundation
import HTTPTypes
import WhorlIngest

/// The head of a request that brings an event.
struct IngestRequestHead: Sendable {
    let route: IngestRequest.Route
    /// The project in the path; nil on the antique `/api/store/`.
    let projectID: String?
    let query: Substring
    /// By lower-case name; of a header that stands twice, the last.
    let headers: [String: String]
    let arrived: ContinuousClock.Instant
    let receivedAt: Date

    /// What the request is about, whatever its method; GET and OPTIONS are the server's.
    let method: HTTPRequest.Method

    /// Nil when the request is none of those: another path, or a method that is answered elsewhere.
    init?(_ head: HTTPRequest) {
        guard head.method != .get, head.method != .options, let path = head.path else { return nil }
        method = head.method
        let target = path.prefix { $0 != "?" && $0 != "#" }
        // Runs of slashes count as one, and the last one may be missing.
        let parts = target.split(separator: "/", maxSplits: 8)
        guard parts.first == "api" else { return nil }
        switch (parts.count, parts.last) {
        case (3, "envelope"):
            route = .envelope
            projectID = String(parts[1])
        case (3, "store"):
            route = .store
            projectID = String(parts[1])
        case (2, "store"):
            route = .store
            projectID = nil
        default: return nil
        }
        query = path[target.endIndex...].dropFirst().prefix { $0 != "#" }
        var headers: [String: String] = [:]
        for field in head.headerFields { headers[field.name.canonicalName] = field.value }
        // Codings on several lines are several codings.
        if let coding = head.headerFields[.contentEncoding] { headers["content-encoding"] = coding }
        self.headers = headers
        arrived = .now
        receivedAt = Date()
    }

    /// Whether the peer wants the connection closed after the answer.
    var closes: Bool { headers["connection"]?.lowercased() == "close" }

    /// The request as the handler takes it.
    func ingest(body: ReceivedBody, clientAddress: String?) -> IngestRequest {
        var parameters: [String: String] = [:]
        for pair in query.split(separator: "&").prefix(100) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decoded(parts[0])
            let value = parts.count > 1 ? Self.decoded(parts[1]) : ""
            if let first = parameters[name] {
                // Two keys are no key.
                if name == "sentry_key", first != value { parameters[name] = first + "," + value }
            } else {
                parameters[name] = value
            }
        }
        return IngestRequest(
            route: route,
            projectID: projectID,
            headers: headers,
            query: parameters,
            body: body,
            clientAddress: clientAddress,
            receivedAt: receivedAt,
            arrived: arrived
        )
    }

    private static func decoded(_ text: Substring) -> String { text.removingPercentEncoding ?? String(text) }
}

extension IngestRequest.Route {
    /// The template of the path, for metrics and the log.
    var path: String {
        switch self {
        case .envelope: "/api/{project}/envelope"
        case .store: "/api/{project}/store"
        }
    }
}
