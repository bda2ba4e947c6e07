import WhorlProtocol

/// What the server does not want to get for now (protocol facts, section 5).
struct ActiveLimits: Sendable {
    /// How long everything waits after a 429 that does not say.
    private static let defaultWait = Duration.seconds(60)
    /// Categories that are remembered: names come from the server.
    private static let maxCategories = 64

    /// By category; the empty name stands for all.
    private var until: [String: ContinuousClock.Instant] = [:]

    /// How many categories are remembered.
    var count: Int { until.count }

    func forbids(_ category: String, at now: ContinuousClock.Instant) -> Bool {
        [until[""], until[category]].contains { $0.map { now < $0 } ?? false }
    }

    /// Reads the limits from any answer: `X-Sentry-Rate-Limits`, else `Retry-After` on a 429.
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
            // Full of limits that hold: one more is of a category that nobody sends.
            guard until.count < Self.maxCategories else { return }
        }
        until[category] = max(until[category] ?? end, end)
    }
}
