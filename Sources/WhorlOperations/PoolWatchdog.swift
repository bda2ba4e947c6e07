import ServiceLifecycle
import Synchronization
import WhorlTelemetry

/// Measures how late tasks run on the cooperative thread pool.
///
/// `run()` repeatedly sleeps 100 ms and records how much later it wakes. It therefore detects any call that blocks a
/// thread of the pool. Before `run()` nothing is measured.
package final class PoolWatchdog: Service {
    /// The interval at which the task runs.
    private static let interval = Duration.milliseconds(100)
    /// The delay above which the collector is not ready.
    package static let maxDelay = Duration.seconds(1)
    /// The number of seconds for which such a delay makes the collector not ready.
    private static let memory = 5

    private struct State {
        var window = DelayWindow()
        var due: ContinuousClock.Instant
        var isRunning = false
    }

    private let start = ContinuousClock.now
    private let state: Mutex<State>

    package init(registry: MetricsRegistry) {
        state = Mutex(State(due: start + Self.interval))
        registry.observed(
            "whorl_thread_pool_delay_seconds",
            "Worst delay of a task on the cooperative thread pool in the last minute, in seconds."
        ) { [weak self] in
            self.map { [(labels: [], value: $0.worst(ofLast: DelayWindow.seconds).seconds)] } ?? []
        }
    }

    /// Whether `run()` is measuring.
    var isRunning: Bool { state.withLock(\.isRunning) }

    /// Whether tasks ran on time during the last seconds.
    package var isInTime: Bool { worst(ofLast: Self.memory) <= Self.maxDelay }

    /// The worst delay of the last seconds, including one in progress.
    func worst(ofLast seconds: Int) -> Duration {
        let now = ContinuousClock.now
        return state.withLock { state in
            let present = state.isRunning ? max(state.due.duration(to: now), .zero) : .zero
            return max(present, state.window.worst(ofLast: seconds, at: second(now)))
        }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                let due = ContinuousClock.now + Self.interval
                state.withLock { state in
                    state.due = due
                    state.isRunning = true
                }
                try? await Task.sleep(until: due, clock: .continuous)
                let now = ContinuousClock.now
                state.withLock { $0.window.record(max(due.duration(to: now), .zero), at: second(now)) }
            }
        }
        state.withLock { $0.isRunning = false }
    }

    private func second(_ now: ContinuousClock.Instant) -> Int { Int(start.duration(to: now).components.seconds) }
}
