import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// One request to the server: an envelope on its way.
public struct TransportRequest: Sendable {
    /// Where it goes.
    public let url: String
    /// Its headers.
    public let headers: [String: String]
    /// Its body.
    public let body: [UInt8]
    /// How long it may take.
    public let timeout: Duration
}

/// Makes requests; the default uses `URLSession`.
public protocol Transport: Sendable {
    /// Makes one request, and throws when no answer came.
    func send(_ request: TransportRequest) async throws -> TransportAnswer
}

/// The transport that needs nothing but Foundation.
public struct URLSessionTransport: Transport {
    private let session: URLSession

    /// A transport with a session of its own, without cookies or cache.
    public init() {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpCookieStorage = nil
        configuration.urlCache = nil
        session = URLSession(configuration: configuration)
    }

    /// Makes one request, and throws when no answer came.
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
