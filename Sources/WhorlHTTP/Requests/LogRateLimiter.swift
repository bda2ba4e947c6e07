import Synchronization

/// A limit on the log lines about requests per second.
final class LogRateLimiter: Sendable {
    /// Lines per second: enough to see what happens, and little load for a disk.
    static let perSecond = 100

    private let state = Mutex((start: ContinuousClock.now, lines: 0))

    /// Counts a line, and returns whether it may be written.
    func take(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if now - state.start >= .seconds(1) { state = (now, 0) }
            state.lines += 1
            return state.lines <= Self.perSecond
        }
    }
}
