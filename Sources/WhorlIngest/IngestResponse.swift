import WhorlProtocol

/// The response to an ingest request (protocol facts, section 1.6).
package struct IngestResponse: Sendable {
    package var status: Int
    package var body: JSON
    package var headers: [(name: String, value: String)] = []

    /// The response to a request whose items are kept or deliberately dropped.
    ///
    /// Its body contains the id if the request is about an event; otherwise it is an empty object.
    static func accepted(_ id: EventID?, _ limits: [RateLimiter.Denial]) -> IngestResponse {
        var answer = IngestResponse(status: 200, body: id.map { ["id": .string($0.hex)] } ?? [:])
        answer.add(limits)
        return answer
    }

    /// Reports exceeded limits to the sender; SDKs read this header on every response.
    mutating func add(_ denials: [RateLimiter.Denial]) {
        guard !denials.isEmpty else { return }
        headers.append(("X-Sentry-Rate-Limits", denials.map(\.header).joined(separator: ", ")))
    }
}
