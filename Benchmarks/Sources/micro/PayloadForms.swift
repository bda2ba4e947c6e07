import CWhorlCompression
import EventSamples
import Foundation
import Processes
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProtocol
import WhorlStore

/// Compares forms of stored payloads, for traffic of many issues and for many events of one issue.
///
/// The forms are single payloads without and with a dictionary, and a batch of one project as one block.
struct PayloadForms {
    let pool: PostgresPool
    let cluster: PrivateCluster

    private static let batch = 100
    private static let batches = 40

    func measure() async throws -> [(name: String, value: Double)] {
        var measures: [(name: String, value: Double)] = []
        for (traffic, issues) in [("mixed", 500), ("flood", 1)] {
            let events = (0..<Self.batch)
                .map { number in
                    // Events of one issue differ in their ids and hardly in anything else.
                    let id = EventID.random().hex
                    return Array(
                        EventSamples.typical(issue: number % issues)
                            .replacing("\"level\":", with: "\"event_id\":\"\(id)\",\"level\":", maxReplacements: 1).utf8
                    )
                }
            let codec = try PayloadCodec(pool: pool)
            measures += try await form("\(traffic), zstd") { events.map { codec.compress($0[...], with: nil) } }
            measures += try await form("\(traffic), zstd + dictionary") {
                events.map { codec.compress($0[...]).payload }
            }
            measures += try await form("\(traffic), block of a batch") {
                [codec.compress(Array(events.joined())[...], with: nil)]
            }
        }
        return measures
    }

    /// Writes batches in one form to a new table and reads single events back.
    private func form(
        _ name: String,
        _ compress: () -> [[UInt8]]
    ) async throws -> [(name: String, value: Double)] {
        var measures: [(name: String, value: Double)] = []
        func report(_ name: String, _ value: Double) { measures.append((name, value)) }
        let start = cpuSeconds()
        var rows: [[UInt8]] = []
        for _ in 0..<5 { rows = compress() }
        report(name + ": compress µs", (cpuSeconds() - start) * 1e6 / 5 / Double(Self.batch))
        _ = try await pool.execute(
            SQLFragment("DROP TABLE IF EXISTS form"),
            operation: "bench"
        )
        _ = try await pool.execute(
            SQLFragment(
                "CREATE TABLE form (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea)"
            ),
            operation: "bench"
        )
        _ = try await pool.execute(
            SQLFragment("ALTER TABLE form ALTER COLUMN payload SET STORAGE EXTERNAL"),
            operation: "bench"
        )
        let wal = try await number("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8 AS n")
        let server = ProcessUsage.postgres(in: cluster.directory).map(ProcessUsage.cpuSeconds).reduce(0, +)
        for _ in 0..<Self.batches {
            let insert: SQLFragment = "INSERT INTO form (payload) SELECT * FROM unnest(\(.array(of: rows))::bytea[])"
            _ = try await pool.execute(insert, operation: "bench")
        }
        let events = Double(Self.batches * Self.batch)
        let used = ProcessUsage.postgres(in: cluster.directory).map(ProcessUsage.cpuSeconds).reduce(0, +) - server
        report(name + ": Postgres µs", used * 1e6 / events)
        report(
            name + ": WAL bytes",
            Double(try await number("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8 AS n") - wal) / events
        )
        report(name + ": disk bytes", Double(try await number("SELECT pg_total_relation_size('form') AS n")) / events)
        let codec = try PayloadCodec(pool: pool)
        let read = ContinuousClock.now
        for id in 1...20 {
            let select: SQLFragment = "SELECT payload FROM form WHERE id = \(id)"
            let payload: [UInt8]? = try await pool.execute(select, operation: "bench").first?.read("payload")
            // The codec number of the dictionary also decodes blocks without a dictionary.
            if let payload { _ = try codec.decompress(payload, codec: 1) }
        }
        report(name + ": read one, µs", Double((ContinuousClock.now - read).components.attoseconds) / 1e12 / 20)
        return measures
    }

    private func number(_ sql: SQLFragment) async throws -> Int {
        try await pool.execute(sql, operation: "bench").first?.read("n") ?? 0
    }
}
