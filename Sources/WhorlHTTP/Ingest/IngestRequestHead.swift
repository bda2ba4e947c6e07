import Foundation
import HTTPTypes
import WhorlIngest

/// The head of a request to an ingest path; no other code reads the path, headers and query of such a request.
struct IngestRequestHead: Sendable {
    let route: IngestRequest.Route
    let method: HTTPRequest.Method
    /// The address of the client; trusted proxies are taken into account.
    let clientAddress: String?
    /// Whether the client wants the connection closed after the response.
    let closes: Bool
    /// The length that the head declares; `Int.max` if it is not a number.
    let declaredLength: Int?
    let expectsContinue: Bool
    private let projectID: String?
    private let headers: IngestRequest.Headers
    private let query: [String: String]
    let arrived = ContinuousClock.now
    private let receivedAt = Date()

    /// Parses a head; nil if its path is not an ingest path.
    init?(_ head: HTTPRequest, peer: String?, _ proxies: TrustedProxies) {
        guard let path = head.path else { return nil }
        let target = path.prefix { $0 != "?" && $0 != "#" }
        // Consecutive slashes count as one, and the trailing slash is optional.
        let parts = target.split(separator: "/", maxSplits: 8)
        guard parts.first == "api" else { return nil }
        switch (parts.count, parts.last) {
        case (3, "envelope"): (route, projectID) = (.envelope, String(parts[1]))
        case (3, "store"): (route, projectID) = (.store, String(parts[1]))
        // The path of the oldest SDKs contains no project.
        case (2, "store"): (route, projectID) = (.store, nil)
        default: return nil
        }
        method = head.method
        query = Self.parameters(path[target.endIndex...].dropFirst().prefix { $0 != "#" })
        clientAddress = proxies.clientAddress(peer: peer, head.headerFields)
        closes = head.headerFields[.connection]?.lowercased() == "close"
        declaredLength = head.headerFields[.contentLength].map { Int($0) ?? .max }
        expectsContinue = head.headerFields[.expect]?.lowercased() == "100-continue"
        headers = Self.headers(head.headerFields)
    }

    /// The request for the pipeline.
    func request(body: ReceivedBody = ReceivedBody()) -> IngestRequest {
        IngestRequest(
            route: route,
            projectID: projectID,
            isGet: method == .get,
            headers: headers,
            query: query,
            body: body,
            clientAddress: clientAddress,
            receivedAt: receivedAt,
            arrived: arrived
        )
    }

    /// The fields that ingest reads; the last of several fields with the same name counts.
    private static func headers(_ fields: HTTPFields) -> IngestRequest.Headers {
        var headers = IngestRequest.Headers()
        for field in fields {
            switch field.name.canonicalName {
            case "x-sentry-auth": headers.sentryAuth = field.value
            case "authorization": headers.authorization = field.value
            case "content-type": headers.contentType = field.value
            // Several Content-Encoding fields are several encodings.
            case "content-encoding":
                headers.contentEncoding = headers.contentEncoding.map { $0 + ", " + field.value } ?? field.value
            case "origin": headers.origin = field.value
            case "referer": headers.referer = field.value
            default: break
            }
        }
        return headers
    }

    /// The parameters of a query; the first of several with the same name counts.
    private static func parameters(_ query: Substring) -> [String: String] {
        var parameters: [String: String] = [:]
        for pair in query.split(separator: "&").prefix(100) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = decoded(parts[0])
            let value = parts.count > 1 ? decoded(parts[1]) : ""
            if let first = parameters[name] {
                // Conflicting keys are joined to an invalid key, so that the request is rejected.
                if name == "sentry_key", first != value { parameters[name] = first + "," + value }
            } else {
                parameters[name] = value
            }
        }
        return parameters
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

    /// The methods of the path, for the header `Allow`.
    var allowedMethods: String { self == .store ? "POST, GET, OPTIONS" : "POST, OPTIONS" }
}
