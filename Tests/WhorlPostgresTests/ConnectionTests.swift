import Foundation
import Logging
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlTelemetry
import WhorlTestSupport

@Suite("Postgres connections")
struct ConnectionTests {
    private func withConnection(_ body: (PostgresConnection) async throws -> Void) async throws {
        let url = try await TestCluster.shared.makeDatabase(migrated: false)
        let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
        try await body(connection)
        await connection.close()
    }

    private var soon: ContinuousClock.Instant { .now + .seconds(10) }

    @Test("Values of every type survive a round trip")
    func roundTrip() async throws {
        try await withConnection { connection in
            let id = UUID()
            let moment = Date(timeIntervalSince1970: 1_790_000_000.123456)
            let day = PostgresDay(moment)
            let statement = PostgresStatement(
                "test",
                "SELECT $1 AS b, $2 AS i2, $3 AS i4, $4 AS i8, $5 AS f, $6 AS t, $7 AS y, $8 AS u, $9 AS m, $10 AS d, $11 AS n",
                [.bool, .int2, .int4, .int8, .float8, .text, .bytea, .uuid, .timestamptz, .date, .text]
            )
            let rows = try await connection.execute(
                statement,
                [
                    true.postgresValue, Int16(-7).postgresValue, Int32(70_000).postgresValue, Int.max.postgresValue,
                    1.5.postgresValue, "a\u{0}bé".postgresValue, [UInt8](0...255).postgresValue, id.postgresValue,
                    moment.postgresValue, day.postgresValue, .null(.text),
                ],
                deadline: soon
            )
            let row = try #require(rows.first)
            #expect(try row.read("b", as: Bool.self))
            #expect(try row.read("i2", as: Int16.self) == -7)
            #expect(try row.read("i4", as: Int32.self) == 70_000)
            #expect(try row.read("i8", as: Int.self) == .max)
            #expect(try row.read("f", as: Double.self) == 1.5)
            // Postgres text cannot contain U+0000; the text after it is kept.
            #expect(try row.read("t", as: String.self) == "a\u{FFFD}bé")
            #expect(try row.read("y", as: [UInt8].self) == [UInt8](0...255))
            #expect(try row.read("u", as: UUID.self) == id)
            #expect(abs(try row.read("m", as: Date.self).timeIntervalSince(moment)) < 0.000_001)
            #expect(try row.read("d", as: PostgresDay.self) == day)
            #expect(try row.readOptional("n", as: String.self) == nil)
        }
    }

    @Test("Arrays survive a round trip, including nulls and empty arrays")
    func arrays() async throws {
        try await withConnection { connection in
            let statement = PostgresStatement(
                "test",
                "SELECT $1 AS full, $2 AS empty, cardinality($3) AS size, ($3)[2] IS NULL AS hole",
                [PostgresType.text.array, PostgresType.int8.array, PostgresType.int8.array]
            )
            let rows = try await connection.execute(
                statement,
                [.array(of: ["a", ""]), .array(of: [Int]()), .array([1, nil, 3] as [Int?])],
                deadline: soon
            )
            let row = try #require(rows.first)
            #expect(try row.readArray("full", of: String.self) == ["a", ""])
            #expect(try row.readArray("empty", of: Int.self).isEmpty)
            #expect(try row.read("size", as: Int32.self) == 3)
            #expect(try row.read("hole", as: Bool.self))
        }
    }

    @Test("A decoding error names the column and the type")
    func decodingErrors() async throws {
        try await withConnection { connection in
            let rows = try await connection.execute(
                PostgresStatement("test", "SELECT 1::int8 AS number, NULL::text AS nothing"),
                deadline: soon
            )
            let row = try #require(rows.first)
            let error = #expect(throws: PostgresError.self) { try row.read("number", as: String.self) }
            #expect(error?.message == "column number is int8, expected text")
            let null = #expect(throws: PostgresError.self) { try row.read("nothing", as: String.self) }
            #expect(null?.message == "column nothing is null, expected text")
            #expect(throws: PostgresError.self) { try row.read("absent", as: Int.self) }
        }
    }

    @Test("A server error carries its SQLSTATE and leaves the connection usable")
    func serverErrors() async throws {
        try await withConnection { connection in
            let error = await #expect(throws: PostgresError.self) {
                try await connection.script("SELECT 1 / 0", deadline: soon)
            }
            #expect(error?.sqlState == "22012")
            #expect(await connection.isUsable)
        }
    }

    @Test("A transaction that throws is rolled back")
    func rollback() async throws {
        try await withConnection { connection in
            try await connection.script("CREATE TABLE t (x int)", deadline: soon)
            await #expect(throws: CancellationError.self) {
                try await connection.transaction(deadline: soon) { connection in
                    try await connection.script("INSERT INTO t VALUES (1)", deadline: soon)
                    throw CancellationError()
                }
            }
            let rows = try await connection.execute(PostgresStatement("test", "SELECT x FROM t"), deadline: soon)
            #expect(rows.isEmpty)
        }
    }

    @Test("The server cancels a slow statement before the deadline, and the connection stays usable")
    func slowStatement() async throws {
        try await withConnection { connection in
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) {
                try await connection.script("SELECT pg_sleep(30)", deadline: .now + .milliseconds(800))
            }
            #expect(error?.sqlState == "57014")
            #expect(error?.isTooSlow == true && error?.meansServerUnavailable == false)
            #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
            #expect(await connection.isUsable)
        }
    }

    @Test("A transaction that exceeds its deadline reports a timeout, not an unreachable server")
    func slowTransaction() async throws {
        try await withConnection { connection in
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) {
                try await connection.transaction(deadline: start + .milliseconds(1_000)) { connection in
                    for _ in 0..<4 {
                        try await connection.script("SELECT pg_sleep(0.4)", deadline: start + .milliseconds(1_000))
                    }
                }
            }
            #expect(error?.code == .timeout)
            #expect(error?.meansServerUnavailable == false)
            #expect(await !connection.isUsable)
        }
    }

    @Test("Waiting statements do not block other tasks")
    func waitingStatements() async throws {
        let url = try await TestCluster.shared.makeDatabase(migrated: false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let waiting = ProcessInfo.processInfo.activeProcessorCount * 4
            for _ in 0..<waiting {
                group.addTask {
                    let connection = try await PostgresConnection.connect(url, deadline: soon)
                    try await connection.script("SELECT pg_sleep(2)", deadline: soon)
                    await connection.close()
                }
            }
            // All connections are established when all of them sleep.
            let observer = try await PostgresConnection.connect(url, deadline: soon)
            let asleep = PostgresStatement(
                "test",
                "SELECT count(*) AS n FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(2)' AND datname = current_database()"
            )
            let allSleep = try await eventually {
                try await observer.execute(asleep, deadline: soon).first?.read("n", as: Int.self) ?? 0 >= waiting - 1
            }
            #expect(allSleep)
            var worst = Duration.zero
            for _ in 0..<20 {
                let due = ContinuousClock.now + .milliseconds(20)
                try await Task.sleep(until: due, clock: .continuous)
                worst = max(worst, due.duration(to: .now))
            }
            #expect(worst < scaledBound(.seconds(1)), "a task ran \(worst) late")
            await observer.close()
            try await group.waitForAll()
        }
    }

    @Test("The error for a malformed URL does not contain the URL")
    func malformedURL() async throws {
        for url in [
            "postgres://u:se%cret@localhost/x", "postgres://u:secret@[::1/x", "postgres://u:secret@h/x?nope=secret",
        ] {
            let error = await #expect(throws: PostgresError.self) {
                try await PostgresConnection.connect(url, deadline: soon)
            }
            #expect(error?.description.contains("cret") == false)
            #expect(error?.description.contains("malformed") == true)
        }
    }

    @Test("A name lookup that hangs fails at the deadline, and the number of concurrent lookups is bounded")
    func slowResolver() async throws {
        let release = DispatchSemaphore(value: 0)
        let resolver = HostResolver { _ in
            release.wait()
            return ["127.0.0.1"]
        }
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(
                "postgres://u@db.example:1/x",
                deadline: start + .milliseconds(200),
                resolver: resolver
            )
        }
        #expect(error?.code == .deadline)
        #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
        // Eight names are looked up at once; a ninth is refused immediately.
        for index in 1...7 {
            await #expect(throws: PostgresError.self) {
                try await resolver.resolve("host-\(index)", deadline: .now + .milliseconds(10))
            }
        }
        let refused = await #expect(throws: PostgresError.self) {
            try await resolver.resolve("one-more", deadline: .now + .seconds(30))
        }
        #expect(refused?.code == .connection)
        for _ in 0..<8 { release.signal() }
    }

    @Test("Every address of a host name is tried")
    func severalAddresses() async throws {
        let resolver = HostResolver { _ in ["127.0.0.1", "127.0.0.2"] }
        // No server listens there; the error names the last address that was tried.
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(
                "postgres://u:hidden@db.example:1/x",
                deadline: soon,
                resolver: resolver
            )
        }
        #expect(error?.code == .connection)
        #expect(error?.message.contains("127.0.0.") == true)
        #expect(error?.message.contains("hidden") == false)
    }

    @Test("Cancelling a task cancels its statement")
    func cancellation() async throws {
        try await withConnection { connection in
            let start = ContinuousClock.now
            let task = Task { try await connection.script("SELECT pg_sleep(30)", deadline: .now + .seconds(60)) }
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            #expect(start.duration(to: .now) < scaledBound(.seconds(5)))
        }
    }

    @Test(
        "If the Postgres user cannot enter the data directory, the cluster is placed elsewhere and no mode changes",
        .enabled(if: geteuid() == 0, "only root runs Postgres as another user")
    )
    func closedDirectory() async throws {
        let closed = try temporaryDirectory("closed")
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: closed)
        let data = closed + "/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
        let cluster = try await PrivateCluster.locate(dataDirectory: data)
        #expect(cluster.isOutsideDataDirectory)
        #expect(cluster.directory.hasPrefix("/var/lib/whorl/"))
        try await cluster.start(deadline: .now + .seconds(120))
        let connection = try await PostgresConnection.connect(cluster.url, deadline: soon)
        #expect(await connection.isUsable)
        await connection.close()
        try await cluster.stop(deadline: .now + .seconds(30))
        let mode = try FileManager.default.attributesOfItem(atPath: closed)[.posixPermissions] as? Int
        #expect(mode == 0o700)
        for path in [closed, cluster.directory, cluster.logFile] { try FileManager.default.removeItem(atPath: path) }
    }

    @Test("With a frozen server, requests fail at their deadline, and the pool recovers on its own")
    func frozenServer() async throws {
        let directory = try temporaryDirectory("frozen")
        let cluster = try await PrivateCluster.locate(dataDirectory: directory)
        try await cluster.start(deadline: .now + .seconds(120))
        let registry = MetricsRegistry()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let pool = PostgresPool(
            url: cluster.url,
            configuration: .init(size: 3, timeout: .milliseconds(500), connectTimeout: .milliseconds(500)),
            logger: logger,
            metrics: PostgresMetrics(registry: registry)
        )
        let running = Task { try await pool.run() }
        let ping = PostgresStatement("test", "SELECT 1 AS one")
        _ = try await pool.execute(ping)
        // The postmaster and its children: all processes whose working directory is the cluster directory.
        let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == cluster.directory
            }
        #expect(processes.count > 3)
        for process in processes { kill(process, SIGSTOP) }
        let start = ContinuousClock.now
        await #expect(throws: PostgresError.self) { try await pool.execute(ping) }
        #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
        // From now on requests fail immediately.
        let second = ContinuousClock.now
        let refused = await #expect(throws: PostgresError.self) { try await pool.execute(ping) }
        #expect(refused?.code == .unavailable)
        #expect(second.duration(to: .now) < scaledBound(.milliseconds(100)))
        for process in processes { kill(process, SIGCONT) }
        let isBack = try await eventually { (try? await pool.execute(ping)) != nil }
        #expect(isBack)
        running.cancel()
        await pool.close()
        try await cluster.stop(deadline: .now + .seconds(20))
        try FileManager.default.removeItem(atPath: directory)
    }
}
