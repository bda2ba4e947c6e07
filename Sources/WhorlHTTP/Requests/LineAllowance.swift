import Synchronization

/// How many lines about requests may be logged in a second.
final class LineAllowance: Sendable {
    /// Lines of one second: enough to see what happens, little for a disk.
    static let perSecond = 100

    private let state = Mutex((start: ContinuousClock.now, lines: 0))

    /// Whether a line may be written; it is counted.
    func take(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if now - state.start >= .seconds(1) { state = (now, 0) }
            state.lines += 1
            return state.lines <= Self.perSecond
        }
    }
}
