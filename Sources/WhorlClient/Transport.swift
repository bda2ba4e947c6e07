import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A POST request that sends an envelope to the server.
public struct TransportRequest: Sendable {
    /// The URL of the server's envelope endpoint.
    public let url: String
    /// The headers.
    public let headers: [String: String]
    /// The body.
    public let body: [UInt8]
    /// The timeout.
    public let timeout: Duration
}

/// Sends requests; the default is ``URLSessionTransport``.
public protocol Transport: Sendable {
    /// Sends one request, and throws when there is no response.
    func send(_ request: TransportRequest) async throws -> TransportAnswer
}

/// A transport that uses `URLSession` and needs only Foundation.
public struct URLSessionTransport: Transport {
    private let session: URLSession

    /// Creates a transport with its own session, without cookies or a cache.
    public init() {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpCookieStorage = nil
        configuration.urlCache = nil
        session = URLSession(configuration: configuration)
    }

    /// Sends one request, and throws when there is no response.
    public func send(_ request: TransportRequest) async throws -> TransportAnswer {
        guard let url = URL(string: request.url) else { throw URLError(.badURL) }
        var outgoing = URLRequest(url: url)
        outgoing.httpMethod = "POST"
        outgoing.timeoutInterval = Double(request.timeout.components.seconds)
        outgoing.httpBody = Data(request.body)
        for (name, value) in request.headers { outgoing.setValue(value, forHTTPHeaderField: name) }
        let (_, response) = try await session.data(for: outgoing)
        guard let answer = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        var headers: [String: String] = [:]
        for (name, value) in answer.allHeaderFields {
            if let name = name as? String, let value = value as? String { headers[name] = value }
        }
        return TransportAnswer(status: answer.statusCode, headers: headers)
    }
}
