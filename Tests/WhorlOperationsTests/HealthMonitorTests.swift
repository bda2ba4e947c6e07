import Logging
import Synchronization
import Testing
import WhorlOperations
import WhorlTelemetry

@Suite("The health monitor")
struct HealthMonitorTests {
    private struct Away: Error {}

    private func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    @Test("It says what the latest check found, and nothing good before the first")
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
        #expect(monitor.isReady && !monitor.isDatabaseAnswering, "the spool takes events meanwhile")
        canKeep.withLock { $0 = false }
        await monitor.checkOnce()
        #expect(!monitor.isReady)
        #expect(registry.render(.prometheusText).contains("whorl_health_status{check=\"database\"} 0\n"))
    }

    @Test("A collector that stops is not ready, though its database answers")
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
