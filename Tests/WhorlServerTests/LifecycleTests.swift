import Foundation
import Glibc
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProtocol
import WhorlTestSupport

@Suite("Collector lifecycle")
struct LifecycleTests {
    private static func processes(of cluster: PrivateCluster) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == cluster.directory
            }
    }

    @Test("A first start that cannot listen still prints its token, which is printed only once")
    func occupiedPort() async throws {
        try await withCollector { collector in
            let program = try RunningProgram(
                TestCollector.executable,
                ["serve"],
                environment: [
                    "PATH": "/usr/bin:/bin", "DATABASE_URL": try await TestCluster.shared.makeDatabase(),
                    "PORT": "\(collector.port)", "WHORL_DATA_DIR": try temporaryDirectory("occupied"),
                ]
            )
            #expect(try await program.exitStatus() != 0)
            #expect(program.output.contains("API token  "), "\(program.output)")
            #expect(program.output.contains("could not listen"))
        }
    }

    @Test("With a frozen Postgres, health fails and events are accepted in time; recovery is automatic")
    func frozenPostgres() async throws {
        let directory = try temporaryDirectory("frozen")
        let cluster = try await PrivateCluster.locate(dataDirectory: directory)
        try await cluster.start(deadline: .now + .seconds(120))
        try await withCollector(databaseURL: cluster.url) { collector in
            #expect(try await collector.send(event: ["message": "before"]).status == 200)
            let processes = try Self.processes(of: cluster)
            for process in processes { kill(process, SIGSTOP) }
            defer { for process in processes { kill(process, SIGCONT) } }
            let start = ContinuousClock.now
            let answer = try await collector.send(event: ["message": "during"])
            #expect(answer.status == 200)
            #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
            let flipped = try await eventually(within: .seconds(5)) {
                let probe = ContinuousClock.now
                let health = try await collector.http.get("/health")
                #expect(probe.duration(to: .now) < scaledBound(.seconds(1)))
                return health.status == 503 && health.text == #"{"status":"unhealthy"}"#
            }
            #expect(flipped)
            #expect(try await collector.http.get("/readyz").status == 200)
            #expect(try await collector.http.get("/livez").status == 200)
            // The circuit breaker is open, so requests do not wait any more.
            let second = ContinuousClock.now
            #expect(try await collector.send(event: ["message": "during"]).status == 200)
            #expect(second.duration(to: .now) < scaledBound(.milliseconds(500)))
            #expect(try await collector.metric("whorl_db_up") == 0)
            for process in processes { kill(process, SIGCONT) }
            await expect(true) {
                try await eventually { try await collector.metric("whorl_spool_replayed_total") == 2 }
            }
            #expect(try await collector.send(event: ["message": "after"]).status == 200)
            await expect(4) { try await collector.http.get("/api/0/projects/acme/web/events/").json().array?.count }
            await expect(true) { try await eventually { try await collector.http.get("/health").status == 200 } }
        }
        try await cluster.stop(deadline: .now + .seconds(20))
        try FileManager.default.removeItem(atPath: directory)
    }

    @Test("SIGTERM under load: accepted requests are answered, and the program exits cleanly within ten seconds")
    func terminate() async throws {
        let collector = try await TestCollector.start()
        let answered = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<8 {
                group.addTask {
                    var count = 0
                    // Sends until the listener is closed; every response must have one of these statuses.
                    while let answer = try? await collector.send(event: ["message": .string("load \(index)")]) {
                        #expect(answer.status == 200 || answer.status == 503)
                        if answer.status == 200 { count += 1 }
                    }
                    return count
                }
            }
            group.addTask {
                _ = try await eventually {
                    try await collector.metric("whorl_ingest_end_to_end_seconds_count") ?? 0 > 50
                }
                collector.program.signal(SIGTERM)
                return 0
            }
            return try await group.reduce(0, +)
        }
        let start = ContinuousClock.now
        #expect(try await collector.program.exitStatus(within: 10) == 0)
        #expect(start.duration(to: .now) < scaledBound(.seconds(10)))
        let connection = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(5))
        let rows = try await connection.execute(
            PostgresStatement("test", "SELECT count(*) AS n FROM event"),
            deadline: .now + .seconds(5)
        )
        #expect(try #require(rows.first).read("n", as: Int.self) >= answered)
        await connection.close()
    }

    @Test("Private Postgres: first start, SIGKILL, second start with the data, clean stop")
    func privateCluster() async throws {
        let data = try temporaryDirectory("private")
        let environment = ["PATH": "/usr/bin:/bin", "PORT": "0", "WHORL_DATA_DIR": data, "WHORL_LOG_FORMAT": "json"]
        let first = try RunningProgram(TestCollector.executable, ["serve"], environment: environment)
        let dsn = try await first.line(containing: "DSN ").split(separator: " ").last.map(String.init) ?? ""
        let token = try await first.line(containing: "API token").split(separator: " ").last.map(String.init) ?? ""
        let parsed = try #require(DSN(dsn))
        #expect(token.utf8.count == 64)
        #expect(try await first.line(containing: "Issues").hasSuffix("/api/0/projects/default/default/issues/"))
        #expect(try await first.line(containing: "sentry_sdk.init").contains(dsn))
        let sent = try await TestHTTP(port: parsed.port)
            .send(
                "POST",
                "/api/1/store/?sentry_key=\(parsed.publicKey)",
                body: Array(#"{"message":"kept"}"#.utf8)
            )
        #expect(sent.status == 200)
        first.signal(SIGKILL)
        try await first.exitStatus()
        let cluster = try await PrivateCluster.locate(dataDirectory: data)
        // Postgres survives the collector, and the next start finds it.
        #expect(cluster.processID.map { kill($0, 0) == 0 } == true)

        let start = ContinuousClock.now
        let second = try RunningProgram(TestCollector.executable, ["serve"], environment: environment)
        let line = try await second.line(containing: "\"listening\"")
        #expect(start.duration(to: .now) < scaledBound(.seconds(3)))
        let port = try #require(
            Int(line.split(separator: "server.address\":\"http://127.0.0.1:")[1].prefix { $0 != "\"" })
        )
        let issues = try await TestHTTP(port: port, token: token).get("/api/0/projects/default/default/issues/").json()
        #expect(issues.array?.first?["title"] == "kept")
        // A command uses the running cluster, and leaves it running.
        let list = try RunningProgram(
            TestCollector.executable,
            ["project", "list", "--json"],
            environment: environment
        )
        #expect(try await list.exitStatus() == 0)
        #expect(cluster.processID != nil)
        second.signal(SIGTERM)
        #expect(try await second.exitStatus(within: 15) == 0)
        #expect(cluster.processID == nil)
        #expect(FileManager.default.fileExists(atPath: cluster.logFile))
        try FileManager.default.removeItem(atPath: data)
    }

    @Test(
        "After a first start is killed, the data directory is usable; SIGTERM during a start stops Postgres"
    )
    func interruptedStart() async throws {
        let data = try temporaryDirectory("interrupted")
        let environment = ["PATH": "/usr/bin:/bin", "PORT": "0", "WHORL_DATA_DIR": data, "WHORL_LOG_FORMAT": "json"]
        let first = try RunningProgram(TestCollector.executable, ["serve"], environment: environment)
        let hasBegun = try await eventually {
            let made = try FileManager.default.contentsOfDirectory(atPath: data).first { $0.hasPrefix("postgres.new-") }
            return made.map { FileManager.default.fileExists(atPath: "\(data)/\($0)/PG_VERSION") } ?? false
        }
        #expect(hasBegun)
        first.signal(SIGKILL)
        try await first.exitStatus()
        let second = try RunningProgram(TestCollector.executable, ["serve"], environment: environment)
        _ = try await second.line(containing: "private Postgres runs")
        second.signal(SIGTERM)
        #expect(try await second.exitStatus(within: 20) == 0)
        let cluster = try await PrivateCluster.locate(dataDirectory: data)
        #expect(cluster.processID == nil)
        try? FileManager.default.removeItem(atPath: data)
    }

    @Test("The request log contains method, route, status and duration, but no payload, key or path")
    func requestLog() async throws {
        try await withCollector { collector in
            // Accepted requests are logged at debug level only.
            _ = try await collector.send(envelope: Array("confidential".utf8))
            _ = try await collector.http.get("/no/such/path?secret=confidential")
            let line = try await collector.program.line(containing: "/api/{project}/envelope")
            let entry = JSON(try JSONDocument(Array(line.utf8)).root)
            #expect(entry["http.method"] == "POST")
            #expect(entry["http.status"] == "400")
            #expect(entry["http.duration_ms"]?.string.flatMap { Double($0) } != nil)
            _ = try await collector.program.line(containing: "__unmatched__")
            #expect(!collector.program.output.contains("confidential"))
            #expect(!collector.program.output.contains(TestCollector.publicKey))
            #expect(!collector.program.output.contains(TestCollector.token))
        }
    }
}
