import Foundation
import Logging
import Testing
import WhorlPostgres
import WhorlTelemetry
import WhorlTestSupport

@testable import WhorlStore

@Suite("Outcomes")
struct OutcomeTests {
    @Test("Huge quantities from clients neither overflow sums nor block other outcomes")
    func hugeQuantities() async throws {
        try await withPool { pool, _ in
            let recorder = OutcomeRecorder(pool: pool, logger: Logger(label: "test"), registry: MetricsRegistry())
            let now = Date(timeIntervalSince1970: 1_000_000_020)
            _ = try await pool.execute(
                SQLFragment(
                    """
                    INSERT INTO outcome (project_id, minute, category, outcome, reason, slot, quantity)
                    SELECT 1, to_timestamp(1000000020) - interval '20 seconds', 'error', 'client_discard', 'x', slot,
                        9223372036854775807
                    FROM generate_series(0, 15) AS slot
                    """
                ),
                operation: "test"
            )
            for _ in 0..<3 {
                recorder.count(
                    projectID: 1,
                    category: "error",
                    outcome: .clientDiscard,
                    reason: "x",
                    quantity: .max,
                    at: now
                )
                recorder.count(projectID: 1, category: "error", outcome: .filtered, reason: "y", at: now)
                await recorder.write()
            }
            _ = try await pool.execute(
                OutcomeStatements.rollUp,
                [now.addingTimeInterval(60).postgresValue, 1_000.postgresValue]
            )
            let rows = try await pool.execute(
                SQLFragment(
                    "SELECT outcome, sum(quantity)::text AS total FROM outcome GROUP BY outcome ORDER BY outcome"
                ),
                operation: "test"
            )
            let totals = try rows.map { try $0.read("total", as: String.self) }
            #expect(totals.last == "3")
            #expect(totals.count == 2)
        }
    }
}
