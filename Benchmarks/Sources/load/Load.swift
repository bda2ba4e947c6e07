import EventSamples
import Foundation
import Glibc

/// Measures a whole collector: starts a release server on a private Postgres, drives it, and prints what an event costs.
///
///     load PATH-OF-WHORL [SECONDS]
@main
struct Load {
    struct Scenario {
        let name: String
        let payloads: [[UInt8]]
    }

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 1 else {
            FileHandle.standardError.write(Data("usage: load PATH-OF-WHORL [SECONDS]\n".utf8))
            exit(64)
        }
        let seconds = arguments.count > 2 ? Double(arguments[2]) ?? 10 : 10
        let scenarios = [
            Scenario(name: "small", payloads: try (0..<500).map { try item(EventSamples.small(issue: $0)) }),
            Scenario(name: "typical", payloads: try (0..<500).map { try item(EventSamples.typical(issue: $0)) }),
            Scenario(name: "spike", payloads: [try item(EventSamples.typical(issue: 1))]),
        ]
        let server = try Server(executable: arguments[1])
        defer { server.stop() }
        var rows: [Row] = []
        for scenario in scenarios {
            let generator = LoadGenerator(
                port: server.port,
                key: server.key,
                payloads: scenario.payloads,
                connections: 32
            )
            // The first seconds make issues, partitions and plans that later ones find.
            _ = generator.run(seconds: 2)
            rows.append(try Row(scenario.name, server, generator, seconds))
        }
        print(Row.table(rows))
        let json = try JSONSerialization.data(withJSONObject: rows.map(\.json), options: [.sortedKeys])
        print(String(decoding: json, as: UTF8.self))
        guard rows.allSatisfy({ $0.acknowledged == $0.stored && $0.refused == 0 }) else {
            FileHandle.standardError.write(Data("acknowledged and stored events differ\n".utf8))
            exit(1)
        }
    }

    /// An event item, compressed once.
    private static func item(_ event: String) throws -> [UInt8] {
        let payload = Array(event.utf8)
        return try Gzip.compressed(Array("{\"type\":\"event\",\"length\":\(payload.count)}\n".utf8) + payload)
    }
}

/// One line of the result.
struct Row {
    let name: String
    let acknowledged: Int
    let stored: Int
    let refused: Int
    let rate: Double
    let collectorCPU: Double
    let postgresCPU: Double
    let p50: Double
    let p99: Double
    let peakMemory: Int
    let disk: Double
    let wal: Double

    init(_ name: String, _ server: Server, _ generator: LoadGenerator, _ seconds: Double) throws {
        let before = try server.measure()
        let outcome = generator.run(seconds: seconds)
        let after = try server.measure()
        let events = max(Double(outcome.acknowledged), 1)
        self.name = name
        acknowledged = outcome.acknowledged
        refused = outcome.refused
        stored = after.events - before.events
        rate = Double(outcome.acknowledged) / outcome.seconds
        collectorCPU = (after.collectorCPU - before.collectorCPU) * 1_000 / events
        postgresCPU = (after.postgresCPU - before.postgresCPU) * 1_000 / events
        func percentile(_ part: Double) -> Double {
            outcome.latencies.isEmpty
                ? 0 : Double(outcome.latencies[Int(Double(outcome.latencies.count - 1) * part)]) / 1_000
        }
        p50 = percentile(0.5)
        p99 = percentile(0.99)
        peakMemory = ProcessUsage.peakMemory(server.process.processIdentifier)
        disk = Double(after.disk - before.disk) / events
        wal = Double(after.wal - before.wal) / events
    }

    static func table(_ rows: [Row]) -> String {
        let titles = [
            "scenario", "acked/s", "stored", "CPU ms/event", "collector", "Postgres", "p50 ms", "p99 ms", "peak RSS MB",
            "disk B/event", "WAL B/event",
        ]
        let cells = rows.map { row in
            [
                row.name, String(format: "%.0f", row.rate), "\(row.stored) of \(row.acknowledged)",
                String(format: "%.3f", row.collectorCPU + row.postgresCPU), String(format: "%.3f", row.collectorCPU),
                String(format: "%.3f", row.postgresCPU), String(format: "%.1f", row.p50),
                String(format: "%.1f", row.p99),
                String(format: "%.0f", Double(row.peakMemory) / 1e6), String(format: "%.0f", row.disk),
                String(format: "%.0f", row.wal),
            ]
        }
        let lines = [titles, titles.map { _ in "---" }] + cells
        return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }

    var json: [String: Any] {
        [
            "scenario": name, "acknowledged": acknowledged, "stored": stored, "refused": refused,
            "acknowledged_per_second": rate,
            "collector_cpu_ms": collectorCPU, "postgres_cpu_ms": postgresCPU, "p50_ms": p50, "p99_ms": p99,
            "peak_rss_bytes": peakMemory, "disk_bytes_per_event": disk, "wal_bytes_per_event": wal,
        ]
    }
}
