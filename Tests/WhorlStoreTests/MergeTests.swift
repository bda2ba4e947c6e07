import Foundation
import Testing
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlTestSupport

@testable import WhorlStore

@Suite("New hashes during a merge")
struct MergeTests {
    private func prepared(_ function: String, _ codec: PayloadCodec) throws -> PreparedEvent {
        let event: JSON = [
            "platform": "python",
            "exception": [
                "values": [
                    [
                        "type": "E", "value": "x",
                        "stacktrace": [
                            "frames": [
                                ["function": .string(function), "module": "shop", "in_app": true],
                                ["function": "lib", "module": "lib", "in_app": false],
                            ]
                        ],
                    ]
                ]
            ],
        ]
        let context = EventContext(projectID: 1, eventID: .random(), receivedAt: Date())
        return PreparedEvent(try EventPipeline.reprocess(event.encoded()[...], context), codec)
    }

    @Test("A hash created during a merge points to the merged issue, and its home is the original issue")
    func resolvedDuringMerge() async throws {
        try await withPool { pool, url in
            let deadline = ContinuousClock.now + .seconds(20)
            let merging = try await PostgresConnection.connect(url, deadline: deadline)
            let event = try prepared("pay", PayloadCodec(pool: pool))
            let alias = try #require(event.event.hashes.last?.hash)
            try await merging.script(
                """
                INSERT INTO project_counter (project_id) VALUES (1);
                INSERT INTO issue (project_id, id, short_id, level, type, title, culprit, metadata, platform,
                        is_unhandled, first_seen, last_seen, last_seen_bucket)
                    SELECT 1, n, n, 4, 'error', 't', '', '{}', 'python', false, now(), now(), now()
                    FROM generate_series(1, 2) AS n;
                INSERT INTO grouping_hash (project_id, id, hash, issue_id)
                    VALUES (1, 1000, decode('\(hexString(alias))', 'hex'), 1);
                BEGIN;
                SELECT id FROM issue WHERE id IN (1, 2) ORDER BY id FOR UPDATE;
                UPDATE grouping_hash SET issue_id = 2 WHERE issue_id = 1;
                UPDATE issue SET merged_into = 2, hash_epoch = hash_epoch + 1 WHERE id = 1
                """,
                deadline: deadline
            )
            async let made = pool.transaction("test", timeout: .seconds(15)) { connection, deadline in
                try await HashResolver.resolve([(event, nil)], connection, deadline)[event.hashKey]
            }
            let watching = try await PostgresConnection.connect(url, deadline: deadline)
            let isWaiting = try await eventually(within: .seconds(10)) {
                try await watching
                    .script(
                        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
                        deadline: deadline
                    )
                    .first != nil
            }
            #expect(isWaiting)
            try await merging.script("COMMIT", deadline: deadline)
            _ = try await made
            // The writer would find its issue hidden, and look up the hash again.
            let id = try await pool.transaction("test", timeout: .seconds(15)) { connection, deadline in
                try await HashResolver.resolve([(event, nil)], connection, deadline)[event.hashKey]
            }
            let sql: SQLFragment =
                "SELECT issue_id, home_issue_id FROM grouping_hash WHERE id = \(try #require(id))"
            let row = try #require(try await pool.execute(sql, operation: "test").first)
            let issue: Int = try row.read("issue_id")
            let home: Int = try row.read("home_issue_id")
            #expect(issue == 2)
            #expect(home == 1)
            await merging.close()
            await watching.close()
        }
    }
}
