import Foundation
import Glibc
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlTestSupport

@Suite("Database faults", .serialized) struct DatabaseFaults {
    @Test("After restarts and kills of the database, every acknowledged event is stored once")
    func restarts() async throws {
        try await FaultTestHarness.run { lab in
            for round in 0..<FaultScale.rounds(2, full: 10) {
                try await lab.acknowledge(30)
                if round % 2 == 0 {
                    try await lab.cluster.stop(deadline: .now + .seconds(30))
                } else {
                    for process in try lab.serverProcesses() { kill(process, SIGKILL) }
                    try await expectEventually { try lab.serverProcesses().isEmpty }
                }
                lab.ledger.restartClock()
                try await lab.acknowledge(30)
                #expect(lab.ledger.slowest < scaledBound(.seconds(2)))
                try await lab.cluster.start(deadline: .now + .seconds(60))
                let start = ContinuousClock.now
                try await expectEventually { try await lab.http.get("/health").status == 200 }
                #expect(start.duration(to: .now) < scaledBound(.seconds(5)))
            }
            try await lab.verify("database restarted and killed")
        }
    }

    @Test("A killed private Postgres is started again, and every event is accepted and stored")
    func privatePostgres() async throws {
        let directory = try temporaryDirectory("private")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let collector = try await TestCollector.start(
            environment: ["DATABASE_URL": "", "WHORL_DATA_DIR": directory, "WHORL_CANARY": "on"]
        )
        let cluster = try await PrivateCluster.locate(dataDirectory: directory)
        #expect(try await collector.send(event: ["message": "before"]).status == 200)
        let first = try #require(cluster.processID)
        kill(first, SIGKILL)
        for number in 0..<20 {
            #expect(try await collector.send(event: ["message": .string("during \(number)")]).status == 200)
        }
        try await expectEventually { cluster.processID != first && cluster.isRunning }
        try await expectEventually { try await collector.metric("whorl_spool_records") == 0 }
        try await expectEventually {
            try await collector.http.get("/api/0/projects/acme/web/events/").json().array?.count == 21
        }
        // The canary event was read back, and it belongs to no user project.
        try await expectEventually {
            try await collector.metric("whorl_canary_last_return_timestamp_seconds") ?? 0 > 0
        }
        #expect(!(try await collector.http.get("/api/0/organizations/acme/issues/?query=").text.contains("canary")))
        await collector.program.stop()
        #expect(!cluster.isRunning)
    }

    @Test("With a frozen database every request is answered within two seconds, and no event is lost")
    func frozen() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(30)
            let processes = try lab.serverProcesses()
            for process in processes { kill(process, SIGSTOP) }
            lab.ledger.restartClock()
            try await lab.acknowledge(20)
            // The duration of the freeze is part of the test.
            try await Task.sleep(for: .seconds(FaultScale.isFull ? 20 : 3))
            #expect(lab.ledger.slowest < scaledBound(.seconds(2)), "\(lab.ledger.summary)")
            #expect(Set(lab.ledger.statuses.keys) == [200])
            for process in processes { kill(process, SIGCONT) }
            try await lab.verify("database frozen")
        }
    }

    @Test("A start without the database accepts events with known keys and answers 503 for unknown keys")
    func coldStart() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(20)
            // The collector writes the copy of the keys shortly after the start.
            let copy = lab.directory + "/collector/keys.json"
            try await expectEventually { FileManager.default.fileExists(atPath: copy) }
            try await lab.cluster.stop(deadline: .now + .seconds(30))
            try await lab.killCollector()
            try await lab.acknowledge(20)
            let unknown = try await lab.http.send(
                "POST",
                "/api/1/envelope/",
                headers: ["X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=\(String(repeating: "0", count: 32))"],
                body: Array("{}\n".utf8)
            )
            #expect(unknown.status == 503 && unknown.headers["retry-after"] != nil)
            #expect(try await lab.http.get("/readyz").status == 200)
            #expect(try await lab.http.get("/health").status == 503)
            try await lab.cluster.start(deadline: .now + .seconds(60))
            try await lab.verify("started without the database")
        }
    }

    @Test("Without a free database connection, events go to the spool")
    func connections() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(20)
            // The test takes every free connection of the server.
            // Then it terminates the collector's connections and takes those too.
            var held: [PostgresConnection] = []
            for _ in 0..<30 {
                while let connection = try? await PostgresConnection.connect(
                    lab.cluster.url,
                    deadline: .now + .seconds(2)
                ) {
                    held.append(connection)
                }
                // The test's own connections have an empty `query`, because they have not run anything yet.
                _ = try await held.first?
                    .script(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE backend_type = 'client backend' AND query <> '' AND pid <> pg_backend_pid()
                        """,
                        deadline: .now + .seconds(5)
                    )
                if try await lab.current.metric("whorl_db_up") == 0 { break }
            }
            #expect(held.count > 20)
            lab.ledger.restartClock()
            try await lab.acknowledge(30)
            #expect(lab.ledger.slowest < scaledBound(.seconds(2)))
            #expect(try await lab.current.metric("whorl_spool_records") ?? 0 > 0)
            for connection in held { await connection.close() }
            try await lab.verify("no connections left")
        }
    }

    @Test("With a long lock on the day's partition, every request is answered within its deadline", arguments: [8, 64])
    func lockedPartition(clients: Int) async throws {
        // Batches so small that there are more batches than writers.
        try await FaultTestHarness.run(environment: ["WHORL_BATCH_EVENTS": "4"], clients: clients) { lab in
            try await lab.acknowledge(20)
            let connection = try await PostgresConnection.connect(lab.cluster.url, deadline: .now + .seconds(5))
            try await connection.script(
                "BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE",
                deadline: .now + .seconds(20)
            )
            lab.ledger.restartClock()
            try await lab.acknowledge(30)
            #expect(lab.ledger.slowest < scaledBound(.seconds(2.5)), "\(lab.ledger.summary)")
            // Waiting for a lock does not count as an outage, so later requests keep trying the database.
            try await lab.acknowledge(clients)
            #expect(lab.ledger.slowest < scaledBound(.seconds(2.5)), "\(lab.ledger.summary)")
            try await connection.script("ROLLBACK", deadline: .now + .seconds(5))
            await connection.close()
            try await lab.verify("partition locked")
        }
    }

    @Test("A batch that fails with a deadlock or a serialization failure is retried as a whole")
    func conflicts() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(20)
            // A second client that repeatedly locks issues in the opposite order.
            let connection = try await PostgresConnection.connect(lab.cluster.url, deadline: .now + .seconds(5))
            for _ in 0..<FaultScale.rounds(10, full: 100) {
                _ = try? await connection.script("BEGIN", deadline: .now + .seconds(5))
                for id in (1...12).reversed() {
                    _ = try? await connection.script(
                        "UPDATE issue SET culprit = culprit WHERE id = \(id)",
                        deadline: .now + .seconds(5)
                    )
                }
                _ = try? await connection.script("COMMIT", deadline: .now + .seconds(5))
            }
            await connection.close()
            try await lab.verify("deadlocks")
        }
    }

    @Test("Events are stored when their day's partition is missing")
    func partitions() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(20)
            let faults = try await lab.faults()
            #expect(faults.isEmpty)
            try await lab.sql(
                "TRUNCATE issue, grouping_hash, hash_environment, hash_hour, hash_user, hash_tag, outcome"
            )
            try await lab.sql(
                """
                DO $$ DECLARE name text; BEGIN
                    FOR name IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event'::regclass LOOP
                        EXECUTE 'DROP TABLE ' || name;
                    END LOOP;
                END $$
                """
            )
            for id in lab.ledger.acknowledged { await lab.sendOne(id) }
            try await lab.verify("no partition")
        }
    }

    @Test("An event that the database rejects becomes a dead letter that can be retried; the others are stored")
    func poison() async throws {
        try await FaultTestHarness.run(clients: 0) { lab in
            for sequence in 0..<10 { await lab.sendOne(.random(), sequence) }
            try await lab.sql(
                """
                ALTER TABLE event ADD CONSTRAINT no_poison CHECK (title NOT LIKE '%poison%')
                """
            )
            let bad = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let text = number % 10 == 3 ? "poison \(number)" : "fine"
                        return try await lab.current.send(event: ["message": .string(text)]).status
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(bad.allSatisfy { $0 == 200 })
            #expect(try await lab.current.metric("whorl_spool_dead_letters") == 4)
            let rows = try await lab.sql("SELECT count(*)::text AS n FROM event WHERE title LIKE '%fine%'")
            #expect(try rows.first?.read("n", as: String.self) == "36")
            let list = try await Self.command(lab, "list", "--json")
            #expect(list.contains("no_poison") && list.contains("\"records\":0"))
            try await lab.sql("ALTER TABLE event DROP CONSTRAINT no_poison")
            #expect(try await Self.command(lab, "retry", "--all").contains("4 queued again"))
            try await expectEventually {
                let rows = try await lab.sql("SELECT count(*)::text AS n FROM event WHERE title LIKE '%poison%'")
                return try rows.first?.read("n", as: String.self) == "4"
            }
            #expect(try await Self.command(lab, "list").hasPrefix("0 events wait, 0 dead letters"))
        }
    }

    private static func command(_ lab: FaultTestHarness, _ words: String...) async throws -> String {
        let program = try RunningProgram(
            TestCollector.executable,
            ["spool"] + words,
            environment: ["WHORL_DATA_DIR": lab.directory + "/collector"]
        )
        #expect(try await program.exitStatus(within: 30) == 0)
        return program.output
    }
}
