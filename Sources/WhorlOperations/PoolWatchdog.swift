import ServiceLifecycle
import Synchronization
import WhorlTelemetry

/// Measures how late tasks run on the cooperative thread pool.
///
/// `run()` sleeps 100 ms at a time and records how much later it wakes. A call that blocks a thread of the pool shows here,
/// whatever blocks. Before `run()` it measures nothing.
package final class PoolWatchdog: Service {
    /// How often the task has to run.
    private static let interval = Duration.milliseconds(100)
    /// A delay beyond which the collector is not ready.
    package static let maxDelay = Duration.seconds(1)
    /// Seconds for which such a delay keeps it not ready.
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

    /// Whether `run()` measures.
    var isRunning: Bool { state.withLock(\.isRunning) }

    /// Whether tasks ran in time during the last seconds.
    package var isInTime: Bool { worst(ofLast: Self.memory) <= Self.maxDelay }

    /// The worst delay of the last seconds, one that is still going on included.
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
