import AsyncAlgorithms
import ServiceLifecycle

/// Runs work at a fixed interval until the service group stops.
///
/// The first run is immediate or after one interval. A run that takes longer than the interval delays the next one;
/// runs never overlap. A stop cancels the current run.
package struct PeriodicService: Service {
    private let interval: Duration
    private let startsAtOnce: Bool
    private let work: @Sendable () async -> Void

    /// Creates a service that runs `work` every `interval`.
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
            for await _ in AsyncTimerSequence(interval: interval, clock: .continuous) {
                if Task.isCancelled { return }
                await work()
            }
        }
    }
}
