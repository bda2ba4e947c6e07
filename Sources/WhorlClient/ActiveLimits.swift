import WhorlProtocol

/// The rate limits of the server that are in effect (protocol facts, section 5).
struct ActiveLimits: Sendable {
    /// The duration of the limit after a 429 response without a `Retry-After` header.
    private static let defaultWait = Duration.seconds(60)
    /// The maximum number of stored categories, which come from the server.
    private static let maxCategories = 64

    /// The end of each limit by category; the empty name means all categories.
    private var until: [String: ContinuousClock.Instant] = [:]

    /// The number of stored categories.
    var count: Int { until.count }

    func forbids(_ category: String, at now: ContinuousClock.Instant) -> Bool {
        [until[""], until[category]].contains { $0.map { now < $0 } ?? false }
    }

    /// Reads the limits from a response: `X-Sentry-Rate-Limits`, else `Retry-After` on a 429.
    mutating func note(_ answer: TransportAnswer, at now: ContinuousClock.Instant) {
        if let header = answer.headers["x-sentry-rate-limits"] {
            for limit in RateLimit.parse(header) {
                let end = now + .seconds(min(limit.seconds, RetryAfter.longest))
                for category in limit.categories.isEmpty ? [""] : limit.categories.prefix(32) {
                    add(category, end, now)
                }
            }
        } else if answer.status == 429 {
            let seconds = answer.headers["retry-after"].flatMap(RetryAfter.seconds)
            add("", now + (seconds.map { Duration.seconds($0) } ?? Self.defaultWait), now)
        }
    }

    private mutating func add(_ category: String, _ end: ContinuousClock.Instant, _ now: ContinuousClock.Instant) {
        if until.count >= Self.maxCategories, until[category] == nil {
            until = until.filter { $0.value > now }
            // All stored limits are active. A further category cannot be one that this client sends.
            guard until.count < Self.maxCategories else { return }
        }
        until[category] = max(until[category] ?? end, end)
    }
}
