/// What the server answered.
public struct TransportAnswer: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The value of a header by its name, in any case.
    public let headers: [String: String]

    /// An answer of a status and headers.
    public init(status: Int, headers: [String: String]) {
        self.status = status
        self.headers = Dictionary(headers.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
    }
}
