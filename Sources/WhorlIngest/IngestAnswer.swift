import WhorlProtocol

/// The answer to a request of the write side (protocol facts, section 1.6).
package struct IngestAnswer: Sendable {
    package var status: Int
    package var body: JSON
    package var headers: [(name: String, value: String)] = []

    /// Kept, or dropped on purpose: the id where the request is about an event, else an empty object.
    static func accepted(_ id: EventID?, _ limits: [RateLimiter.Denial]) -> IngestAnswer {
        var answer = IngestAnswer(status: 200, body: id.map { ["id": .string($0.hex)] } ?? [:])
        answer.add(limits)
        return answer
    }

    /// Tells the sender of limits; SDKs read them on every answer.
    mutating func add(_ denials: [RateLimiter.Denial]) {
        guard !denials.isEmpty else { return }
        headers.append(("X-Sentry-Rate-Limits", denials.map(\.header).joined(separator: ", ")))
    }
}
