import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Work that waits holds up nobody else", .serialized)
struct IsolationTests {
    @Test("While statements wait for a lock, health answers, events are kept and nothing blocks the thread pool")
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
                    #expect(start.duration(to: .now) < .seconds(1))
                    #expect(try await collector.http.get("/health").status == 200)
                    #expect(try await collector.send(event: ["message": .string("during \(index)")]).status == 200)
                    #expect(start.duration(to: .now) < .seconds(2.5))
                }
                try await group.waitForAll()
            }
            #expect(try await collector.metric("whorl_db_up") == 1, "a lock is not an absent database")
            try await holder.script("ROLLBACK", deadline: .now + .seconds(10))
            await holder.close()
            #expect(try await collector.http.get("/api/0/projects/acme/web/issues/").status == 200)
            let isEmpty = try await eventually { try await collector.metric("whorl_spool_records") == 0 }
            #expect(isEmpty)
            try await collector.expectFreeThreadPool()
        }
    }
}
