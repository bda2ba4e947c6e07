/// A circuit breaker for the server, so that during an outage no request waits for a deadline.
///
/// A pure state machine: time is a parameter. It opens at the first failure that means that the server is unavailable,
/// allows one probe after a delay that doubles with each failure, and closes at the first success.
package struct Breaker: Sendable {
    private enum State {
        case closed
        /// No request is allowed before `retryAt`; then one probe is.
        case open(retryAt: ContinuousClock.Instant, delay: Duration)
        case probing(delay: Duration, since: ContinuousClock.Instant)
    }

    private var state = State.closed
    private let firstDelay: Duration
    private let longestDelay: Duration

    package init(firstDelay: Duration = .milliseconds(100), longestDelay: Duration = .seconds(2)) {
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
    }

    package var isClosed: Bool { if case .closed = state { true } else { false } }

    /// Whether a probe may start now; if so, the caller must report its success or failure.
    package mutating func startProbe(at now: ContinuousClock.Instant) -> Bool {
        guard case .open(let retryAt, let delay) = state, now >= retryAt else { return false }
        state = .probing(delay: delay, since: now)
        return true
    }

    /// The earliest time of the next probe while the breaker is open.
    package var nextProbe: ContinuousClock.Instant? {
        if case .open(let retryAt, _) = state { retryAt } else { nil }
    }

    package mutating func succeeded() {
        state = .closed
    }

    /// Records a failure that means that the server is unavailable; `jitter` (0 to 1) keeps collectors from probing at
    /// once.
    package mutating func failed(at now: ContinuousClock.Instant, jitter: Double) {
        let delay: Duration
        switch state {
        case .closed: delay = firstDelay
        case .probing(let last, _): delay = min(last * 2, longestDelay)
        // Late failures of requests that started before the outage was detected change nothing.
        case .open: return
        }
        state = .open(retryAt: now + delay * (0.5 + jitter / 2), delay: delay)
    }
}
