import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Acknowledged events are stored")
struct AcknowledgementTests {
    @Test("After 5,000 events and resends over 32 connections to two collectors, ids, rows and counts match")
    func ledger() async throws {
        let count = 5_000
        let url = try await TestCluster.shared.makeDatabase()
        try await withCollector(databaseURL: url) { first in
            try await withCollector(databaseURL: url) { second in
                let collectors = [first, second]
                let ids = (0..<count).map { _ in EventID.random() }
                // Every tenth event is also sent to the other collector, possibly before the first response.
                let work = Work(ids.indices.flatMap { $0 % 10 == 0 ? [($0, 0), ($0, 1)] : [($0, $0 % 2)] })
                let acknowledged = try await withThrowingTaskGroup(of: [Int].self) { group in
                    for _ in 0..<32 {
                        group.addTask {
                            var taken: [Int] = []
                            while let (index, collector) = await work.next() {
                                // An event without an acknowledgement is sent again with the same id.
                                for _ in 0..<5 {
                                    let answer = try await collectors[collector]
                                        .send(event: Self.event(index), id: ids[index])
                                    #expect(answer.status == 200 || answer.status == 503)
                                    if answer.status == 200 {
                                        taken.append(index)
                                        break
                                    }
                                }
                            }
                            return taken
                        }
                    }
                    return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
                }
                let failures = collectors.flatMap { $0.program.output.split(separator: "\n") }
                    .filter { $0.contains("batch not stored") }
                #expect(acknowledged.count == count, "\(failures)")
                for collector in collectors {
                    await expect(true) {
                        try await eventually { try await collector.metric("whorl_spool_records") == 0 }
                    }
                }
                let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
                let stored = try await connection.execute(
                    PostgresStatement("test", "SELECT event_id FROM event"),
                    deadline: .now + .seconds(20)
                )
                let rows = try stored.map { EventID(uuid: try $0.read("event_id")) }
                #expect(rows.count == count)
                let replayed = try await collectors[0].metric("whorl_spool_replayed_total") ?? 0
                let replayedToo = try await collectors[1].metric("whorl_spool_replayed_total") ?? 0
                #expect(Set(rows) == Set(acknowledged.map { ids[$0] }))
                // Tags are counted with a delay, which is longer on a busy machine.
                let backlog = PostgresStatement("test", "SELECT count(*) AS n FROM tag_backlog")
                let isCounted = try await eventually(within: .seconds(60)) {
                    try await connection.execute(backlog, deadline: .now + .seconds(5)).first?.read("n") == 0
                }
                #expect(isCounted)
                try await Self.checkSums(connection)
                await connection.close()
                var counted = 0.0
                for collector in collectors {
                    for environment in ["production", "staging"] {
                        let labels = #"{organization="acme",project="web",environment="\#(environment)",level="error"}"#
                        counted += try await collector.metric("whorl_events_total" + labels) ?? 0
                    }
                }
                // An event that was sent twice can be counted twice if both copies went through a spool.
                #expect(counted >= Double(count) && counted <= Double(count) + replayed + replayedToo)
            }
        }
    }

    /// A queue of work items that concurrent clients share.
    private actor Work {
        private var rest: ArraySlice<(Int, Int)>
        init(_ all: [(Int, Int)]) { rest = all[...] }
        func next() -> (Int, Int)? { rest.popFirst() }
    }

    private static func event(_ index: Int) -> JSON {
        [
            "environment": index % 3 == 0 ? "staging" : "production", "release": .string("shop@\(index % 7)"),
            "user": ["id": .string("\(index % 50)")], "tags": ["shard": .string("\(index % 150)")],
            "exception": [
                "values": [
                    [
                        "type": .string("Fault\(index % 40)"), "value": "x",
                        "stacktrace": ["frames": [["function": "f", "in_app": true]]],
                    ]
                ]
            ],
        ]
    }

    /// Compares every stored aggregate with the rows.
    private static func checkSums(_ connection: PostgresConnection) async throws {
        let statement = PostgresStatement(
            "test",
            """
            SELECT
                (SELECT count(*) FROM issue) AS issues,
                (SELECT count(*) FROM issue i WHERE event_count <> (
                    SELECT count(*) FROM event e JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                    WHERE h.issue_id = i.id)) AS wrong_counts,
                (SELECT count(*) FROM issue i WHERE user_count <> (
                    SELECT count(DISTINCT user_hash) FROM event e
                    JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                    WHERE h.issue_id = i.id)) AS wrong_users,
                (SELECT sum(events)::int8 FROM hash_environment) AS environments,
                (SELECT sum(events)::int8 FROM hash_hour) AS hours,
                (SELECT count(*) FROM (
                    SELECT hash_id, key, sum(events) FROM hash_tag GROUP BY 1, 2
                    EXCEPT
                    SELECT hash_id, split_part(tag, '=', 1), count(*) FROM event, unnest(tags) AS tag GROUP BY 1, 2
                ) AS difference) AS wrong_tags,
                (SELECT max(n) FROM (
                    SELECT count(DISTINCT value) AS n FROM hash_tag GROUP BY hash_id, key, day) AS c) AS most_values
            """
        )
        let row = try #require(try await connection.execute(statement, deadline: .now + .seconds(30)).first)
        #expect(try row.read("issues", as: Int.self) == 40)
        #expect(try row.read("wrong_counts", as: Int.self) == 0)
        #expect(try row.read("wrong_users", as: Int.self) == 0)
        #expect(try row.read("environments", as: Int.self) == 5_000)
        #expect(try row.read("hours", as: Int.self) == 5_000)
        #expect(try row.read("wrong_tags", as: Int.self) == 0)
        #expect(try row.read("most_values", as: Int.self) <= 101)
    }
}
