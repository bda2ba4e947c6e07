import WhorlProtocol

/// What the server does not want to get for now (protocol facts, section 5).
struct ActiveLimits: Sendable {
    /// How long everything waits after a 429 that does not say.
    private static let defaultWait = Duration.seconds(60)
    /// The longest wait that is believed: a server that says more is heard again after a day.
    private static let longestWait = 86_400.0

    /// By category; the empty name stands for all.
    private var until: [String: ContinuousClock.Instant] = [:]

    func forbids(_ category: String, at now: ContinuousClock.Instant) -> Bool {
        [until[""], until[category]].contains { $0.map { now < $0 } ?? false }
    }

    /// Reads the limits from any answer: `X-Sentry-Rate-Limits`, else `Retry-After` on a 429.
    mutating func note(_ answer: TransportAnswer, at now: ContinuousClock.Instant) {
        if let header = answer.headers["x-sentry-rate-limits"] {
            for limit in RateLimit.parse(header) {
                let end = now + .seconds(min(limit.seconds, Self.longestWait))
                for category in limit.categories.isEmpty ? [""] : limit.categories.prefix(32) {
                    until[category] = max(until[category] ?? end, end)
                }
            }
        } else if answer.status == 429 {
            let seconds = answer.headers["retry-after"].flatMap { Double($0) }
            let wait = seconds.map { Duration.seconds(min(max($0, 0), Self.longestWait)) } ?? Self.defaultWait
            until[""] = max(until[""] ?? now, now + wait)
        }
    }
}
