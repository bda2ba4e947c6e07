/// Delays attempts after failures: each failure doubles the delay, and a success ends it.
///
/// A pure state machine.
package struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var delay: Duration?
    private var notBefore: ContinuousClock.Instant?

    package init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// Whether an attempt may be made now.
    package func mayTry(at now: ContinuousClock.Instant) -> Bool { notBefore.map { now >= $0 } ?? true }

    /// The current delay; nil while nothing has failed.
    package var wait: Duration? { delay }

    package mutating func failed(at now: ContinuousClock.Instant) {
        // Failures of concurrent attempts count once.
        guard mayTry(at: now) else { return }
        let next = delay.map { min($0 * 2, longest) } ?? first
        delay = next
        notBefore = now + next
    }

    package mutating func succeeded() {
        delay = nil
        notBefore = nil
    }
}
