import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Isolation of waiting requests", .serialized)
struct IsolationTests {
    @Test("While statements wait for a lock, health checks answer, events are stored and the thread pool is free")
    func lockedTable() async throws {
        try await withCollector { collector in
            #expect(try await collector.send(event: ["message": "before"]).status == 200)
            let holder = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            try await holder.script("BEGIN; LOCK TABLE issue", deadline: .now + .seconds(10))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let path = "/api/0/projects/acme/web/issues/"
                        let answer = try await collector.http.get(path)
                        #expect(answer.status == 503)
                        #expect(answer.text.contains("took too long") || answer.text.contains("wait"), "\(answer.text)")
                    }
                }
                for index in 0..<5 {
                    let start = ContinuousClock.now
                    #expect(try await collector.http.get("/livez").status == 200)
                    #expect(start.duration(to: .now) < scaledBound(.seconds(1)))
                    #expect(try await collector.http.get("/health").status == 200)
                    #expect(try await collector.send(event: ["message": .string("during \(index)")]).status == 200)
                    #expect(start.duration(to: .now) < scaledBound(.seconds(2.5)))
                }
                try await group.waitForAll()
            }
            #expect(try await collector.metric("whorl_db_up") == 1, "a lock does not count as an outage")
            try await holder.script("ROLLBACK", deadline: .now + .seconds(10))
            await holder.close()
            #expect(try await collector.http.get("/api/0/projects/acme/web/issues/").status == 200)
            let isEmpty = try await eventually { try await collector.metric("whorl_spool_records") == 0 }
            #expect(isEmpty)
            try await collector.expectFreeThreadPool()
        }
    }
}

@Suite("Cost of searches", .serialized)
struct SearchCostTests {
    @Test("A search that exceeds its time is answered with 503 and the slow term; other requests are not affected")
    func slowSearch() async throws {
        try await withCollector { collector in
            let connection = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            #expect(try await collector.send(event: ["message": "one"]).status == 200)
            // Searches take very long, because each row that they read sleeps.
            try await connection.script(
                """
                CREATE FUNCTION slow(text) RETURNS text LANGUAGE sql VOLATILE
                    AS 'SELECT CASE WHEN pg_sleep(15) IS NULL THEN $1 ELSE $1 END';
                ALTER TABLE event RENAME TO event_table;
                CREATE VIEW event AS SELECT project_id, event_id, received_day, received_at, occurred_at, sent_at, hash_id,
                    environment_id, release_id, level, user_hash, slow(title) AS title,
                    CASE WHEN slow(title) IS NULL THEN tags ELSE tags END AS tags, client_address, notes, payload_codec,
                    payload FROM event_table
                """,
                deadline: .now + .seconds(10)
            )
            let path = "/api/0/projects/acme/web/issues/?query=is:unresolved%20!shop:*card*"
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        let answer = try await collector.http.get(path)
                        #expect(answer.status == 503)
                        #expect(answer.text.contains("!shop:*card*"), "\(answer.text)")
                    }
                }
                for _ in 0..<10 {
                    let start = ContinuousClock.now
                    #expect(try await collector.http.get("/health").status == 200)
                    #expect(try await collector.http.get("/livez").status == 200)
                    #expect(start.duration(to: .now) < scaledBound(.seconds(1)))
                }
                try await group.waitForAll()
            }
            #expect(try await collector.metric("whorl_db_up") == 1)
            try await collector.expectFreeThreadPool()
            await connection.close()
        }
    }

    @Test("The number of concurrent and of waiting requests per token is limited; the rest is refused")
    func tokenGate() async throws {
        try await withCollector { collector in
            let holder = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            try await holder.script("BEGIN; LOCK TABLE issue", deadline: .now + .seconds(10))
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<40 {
                    group.addTask { try await collector.http.get("/api/0/projects/acme/web/issues/").status }
                }
                var first: [Int] = []
                for try await status in group {
                    first.append(status)
                    // Requests above the limit are refused at once, while the others wait.
                    if first.count == 20 { try await holder.script("ROLLBACK", deadline: .now + .seconds(10)) }
                }
                return first
            }
            #expect(statuses.prefix(20).allSatisfy { $0 == 429 }, "\(statuses)")
            #expect(statuses.count { $0 == 200 } == 18, "\(statuses)")
            await holder.close()
        }
    }
}
