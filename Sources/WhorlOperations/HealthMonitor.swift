import Logging
import ServiceLifecycle
import Synchronization
import WhorlServices
import WhorlTelemetry

/// Checks in the background whether the collector can work, so that no probe has to wait.
///
/// `run()` runs the check about once a second, each time for at most 800 ms. A result older than two seconds counts as
/// a failure, so a check that hangs is a failed check.
package final class HealthMonitor: Service, Sendable {
    /// How often the check runs.
    private static let interval = Duration.milliseconds(800)
    /// How long one check may take.
    package static let timeout = Duration.milliseconds(800)
    /// The maximum age of a result that still counts.
    private static let maxAge = Duration.seconds(2)

    private struct State {
        var isHealthy = false
        var canKeep = false
        var checkedAt: ContinuousClock.Instant?
        var isDraining = false
    }

    private let state = Mutex(State())
    private let check: @Sendable () async throws -> Void
    private let canKeep: @Sendable () async -> Bool
    private let watchdog: PoolWatchdog
    private let logger: Logger
    private let database: Gauge
    private let ready: Gauge

    /// Creates a monitor.
    ///
    /// `check` throws if the database does not answer, and enforces its own timeout. `canKeep` returns whether an event
    /// that arrives now can be kept, in the database or in the spool.
    package init(
        logger: Logger,
        registry: MetricsRegistry,
        watchdog: PoolWatchdog,
        canKeep: @escaping @Sendable () async -> Bool,
        check: @escaping @Sendable () async throws -> Void
    ) {
        self.logger = logger
        self.check = check
        self.canKeep = canKeep
        self.watchdog = watchdog
        let status = registry.gauges("whorl_health_status", "1 while the check succeeds, else 0.", labels: ["check"])
        database = status.child("database")
        ready = status.child("ready")
    }

    /// Whether the database answered the latest check, and that check is recent.
    package var isDatabaseAnswering: Bool {
        state.withLock { state in
            state.isHealthy && (state.checkedAt.map { $0.duration(to: .now) <= Self.maxAge } ?? false)
        }
    }

    /// The reasons why an event that arrives now cannot be accepted and kept; empty while the collector is ready.
    package var reasonsNotReady: [String] {
        var reasons: [String] = []
        state.withLock { state in
            if state.isDraining { reasons.append("stopping") }
            if !state.canKeep { reasons.append("neither the database nor the spool takes events") }
            if !(state.checkedAt.map { $0.duration(to: .now) <= Self.maxAge } ?? false) {
                reasons.append("the last check is too old")
            }
        }
        if !watchdog.isInTime { reasons.append("tasks run too late") }
        return reasons
    }

    /// Whether the collector is ready: an event that arrives now can be kept.
    package var isReady: Bool { reasonsNotReady.isEmpty }

    /// Marks the collector as stopping: it is no longer ready, but it still answers requests.
    package func drain() {
        state.withLock { $0.isDraining = true }
        ready.set(0)
    }

    /// Runs the check until it is stopped.
    package func run() async throws {
        await PeriodicService(every: Self.interval, startsAtOnce: true) { await self.checkOnce() }.run()
        drain()
    }

    /// Runs the check now.
    package func checkOnce() async {
        var failure: (any Error)?
        do {
            try await check()
        } catch {
            failure = error
        }
        let canKeep = await canKeep()
        if Task.isCancelled { return }
        let isHealthy = failure == nil
        let changed = state.withLock { state in
            let changed = state.checkedAt == nil || state.isHealthy != isHealthy
            state.isHealthy = isHealthy
            state.canKeep = canKeep
            state.checkedAt = .now
            return changed
        }
        database.set(isHealthy ? 1 : 0)
        ready.set(isReady ? 1 : 0)
        guard changed else { return }
        if let failure {
            logger.error("health: database does not answer", metadata: ["db.error": "\(failure)"])
        } else {
            logger.info("health: database answers")
        }
    }
}
