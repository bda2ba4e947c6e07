import AsyncAlgorithms
import ServiceLifecycle

/// Runs work periodically until the service group stops.
///
/// The first run comes at once, or after one interval. Each further run starts one interval after the end of the run before
/// it, so runs never overlap, and a long run is not followed by a burst of short ones. A stop cancels the run in progress.
package struct PeriodicService: Service {
    private let interval: Duration
    private let startsAtOnce: Bool
    private let work: @Sendable () async -> Void

    /// Runs `work` every `interval`.
    package init(
        every interval: Duration,
        startsAtOnce: Bool = false,
        _ work: @escaping @Sendable () async -> Void
    ) {
        self.interval = interval
        self.startsAtOnce = startsAtOnce
        self.work = work
    }

    package func run() async {
        await cancelWhenGracefulShutdown {
            if startsAtOnce { await work() }
            while await Self.tick(after: interval) { await work() }
        }
    }

    /// Waits for one interval; false when the task was cancelled meanwhile.
    ///
    /// Each wait has a timer of its own: a timer that keeps its schedule would make up for every tick that it missed.
    package static func tick(after interval: Duration) async -> Bool {
        var timer = AsyncTimerSequence(interval: interval, clock: .continuous).makeAsyncIterator()
        let tick = await timer.next()
        return tick != nil && !Task.isCancelled
    }
}
