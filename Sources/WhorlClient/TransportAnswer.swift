/// A response of the server.
public struct TransportAnswer: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The header values by header name in lower case.
    public let headers: [String: String]

    /// Creates a response; the case of the header names does not matter.
    public init(status: Int, headers: [String: String]) {
        self.status = status
        self.headers = Dictionary(headers.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
    }
}
