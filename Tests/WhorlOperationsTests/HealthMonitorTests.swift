import Logging
import Synchronization
import Testing
import WhorlOperations
import WhorlTelemetry

@Suite("Health monitor")
struct HealthMonitorTests {
    private struct Away: Error {}

    private func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    @Test("It reports the result of the latest check, and not ready before the first one")
    func follows() async {
        let isUp = Mutex(true)
        let canKeep = Mutex(true)
        let registry = MetricsRegistry()
        let monitor = HealthMonitor(
            logger: quiet(),
            registry: registry,
            watchdog: PoolWatchdog(registry: registry),
            canKeep: { canKeep.withLock { $0 } }
        ) {
            if !isUp.withLock({ $0 }) { throw Away() }
        }
        #expect(!monitor.isReady)
        await monitor.checkOnce()
        #expect(monitor.isReady && monitor.isDatabaseAnswering)
        isUp.withLock { $0 = false }
        await monitor.checkOnce()
        #expect(monitor.isReady && !monitor.isDatabaseAnswering, "the spool accepts events during the outage")
        canKeep.withLock { $0 = false }
        await monitor.checkOnce()
        #expect(!monitor.isReady)
        #expect(registry.render(.prometheusText).contains("whorl_health_status{check=\"database\"} 0\n"))
    }

    @Test("A collector that is stopping is not ready, even if its database answers")
    func drains() async {
        let monitor = HealthMonitor(
            logger: quiet(),
            registry: MetricsRegistry(),
            watchdog: PoolWatchdog(registry: MetricsRegistry()),
            canKeep: { true }
        ) {}
        await monitor.checkOnce()
        monitor.drain()
        #expect(!monitor.isReady)
        #expect(monitor.isDatabaseAnswering)
    }
}
