import Foundation
import Processes

/// The results of one round of a scenario.
struct Row {
    let name: String
    var acknowledged: Int
    var stored: Int
    var refused: Int
    var rate: Double
    var collectorCPU: Double
    var postgresCPU: Double
    var p50: Double
    var p99: Double
    /// The longest delay of a task on the thread pool, in milliseconds.
    var poolDelay: Double
    var peakMemory: Int
    var disk: Double
    var wal: Double

    /// The CPU time per event of all processes, in milliseconds.
    var cpu: Double { collectorCPU + postgresCPU }

    /// Runs the scenario against the server, after a warm-up that is not measured.
    init(
        _ scenario: Load.Scenario,
        _ server: Server,
        seconds: Double,
        warmUp: Double,
        connections: Int = 32,
        ratePerSecond: Int? = nil
    ) throws {
        let generator = LoadGenerator(
            port: server.port,
            key: server.key,
            payloads: scenario.payloads,
            connections: connections,
            ratePerSecond: ratePerSecond
        )
        server.acknowledged += generator.run(seconds: warmUp).acknowledged
        let before = try server.measure()
        let outcome = generator.run(seconds: seconds)
        server.acknowledged += outcome.acknowledged
        let after = try server.measure()
        let events = max(Double(outcome.acknowledged), 1)
        name = scenario.name
        acknowledged = outcome.acknowledged
        refused = outcome.refused
        stored = after.events - before.events
        rate = Double(outcome.acknowledged) / outcome.seconds
        collectorCPU = (after.collectorCPU - before.collectorCPU) * 1_000 / events
        postgresCPU = (after.postgresCPU - before.postgresCPU) * 1_000 / events
        p50 = Double(percentile(outcome.latencies, 0.5)) / 1_000
        p99 = Double(percentile(outcome.latencies, 0.99)) / 1_000
        poolDelay = try server.threadPoolDelay() * 1_000
        peakMemory = ProcessUsage.peakMemory(server.process.processIdentifier)
        disk = Double(after.disk - before.disk) / events
        wal = Double(after.wal - before.wal) / events
    }

    /// The median of each number; event counts are summed, and the pool delay and peak memory are maxima.
    static func median(_ rounds: [Row]) -> Row {
        var row = rounds[0]
        func median<Value: Comparable>(_ path: KeyPath<Row, Value>) -> Value {
            let values = rounds.map { $0[keyPath: path] }.sorted()
            return values[values.count / 2]
        }
        row.rate = median(\.rate)
        row.collectorCPU = median(\.collectorCPU)
        row.postgresCPU = median(\.postgresCPU)
        row.p50 = median(\.p50)
        row.p99 = median(\.p99)
        row.poolDelay = rounds.map(\.poolDelay).max() ?? 0
        row.peakMemory = rounds.map(\.peakMemory).max() ?? 0
        row.disk = median(\.disk)
        row.wal = median(\.wal)
        row.acknowledged = rounds.reduce(0) { $0 + $1.acknowledged }
        row.stored = rounds.reduce(0) { $0 + $1.stored }
        row.refused = rounds.reduce(0) { $0 + $1.refused }
        return row
    }

    static func table(_ rows: [Row]) -> String {
        let titles = [
            "scenario", "acked/s", "stored", "CPU ms/event", "collector", "Postgres", "p50 ms", "p99 ms",
            "pool delay ms", "peak RSS MB",
            "disk B/event", "WAL B/event",
        ]
        let cells = rows.map { row in
            [
                row.name, String(format: "%.0f", row.rate), "\(row.stored) of \(row.acknowledged)",
                String(format: "%.3f", row.cpu), String(format: "%.3f", row.collectorCPU),
                String(format: "%.3f", row.postgresCPU), String(format: "%.1f", row.p50),
                String(format: "%.1f", row.p99),
                String(format: "%.1f", row.poolDelay),
                String(format: "%.0f", Double(row.peakMemory) / 1e6), String(format: "%.0f", row.disk),
                String(format: "%.0f", row.wal),
            ]
        }
        let lines = [titles, titles.map { _ in "---" }] + cells
        return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }

    /// The numbers to compare with other runs.
    var comparable: [(String, Double)] {
        [
            ("\(name) CPU ms/event", cpu), ("\(name) acked/s", rate), ("\(name) p99 ms", p99),
            ("\(name) disk B/event", disk),
        ]
    }
}

/// The value at a percentile of the sorted values.
func percentile(_ sorted: [Int], _ part: Double) -> Int {
    sorted.isEmpty ? 0 : sorted[Int(Double(sorted.count - 1) * part)]
}
