import Foundation
import Testing
import WhorlTelemetry

@testable import WhorlOperations

@Suite("Thread pool watchdog")
struct PoolWatchdogTests {
    @Test("The window keeps the longest delay of each of the last sixty seconds")
    func window() {
        var window = DelayWindow()
        #expect(window.worst(ofLast: 60, at: 0) == .zero)
        window.record(.milliseconds(5), at: 0)
        window.record(.milliseconds(900), at: 3)
        window.record(.milliseconds(7), at: 3)
        window.record(.milliseconds(20), at: 10)
        #expect(window.worst(ofLast: 60, at: 10) == .milliseconds(900))
        #expect(window.worst(ofLast: 5, at: 10) == .milliseconds(20))
        #expect(window.worst(ofLast: 60, at: 62) == .milliseconds(900))
        #expect(window.worst(ofLast: 60, at: 63) == .milliseconds(20))
        #expect(window.worst(ofLast: 60, at: 80) == .zero)
        window.record(.milliseconds(1), at: 63)
        #expect(window.worst(ofLast: 1, at: 63) == .milliseconds(1))
    }

    @Test("Tasks that block every thread of the pool raise the gauge and fail the readiness check")
    func blocked() async throws {
        let registry = MetricsRegistry()
        let watchdog = PoolWatchdog(registry: registry)
        let running = Task { try await watchdog.run() }
        while !watchdog.isRunning { await Task.yield() }
        #expect(watchdog.isInTime)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount * 2 {
                group.addTask { _ = sleepBlocking(0.8) }
            }
        }
        #expect(watchdog.worst(ofLast: 60) > .milliseconds(1_000))
        #expect(!watchdog.isInTime)
        let line = try #require(
            registry.render(.prometheusText).split(separator: "\n")
                .first { $0.hasPrefix("whorl_thread_pool_delay_seconds ") }
        )
        #expect(try #require(Double(line.split(separator: " ")[1])) > 1)
        running.cancel()
    }
}

/// Blocks a thread of the pool, which production code must never do.
private func sleepBlocking(_ seconds: Double) -> Bool {
    usleep(UInt32(seconds * 1_000_000))
    return true
}
