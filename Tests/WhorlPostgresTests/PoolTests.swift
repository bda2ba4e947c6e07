import Logging
import Testing
import WhorlPostgres
import WhorlTelemetry
import WhorlTestSupport

@Suite("Connection pool")
struct PoolTests {
    private let ping = PostgresStatement("test", "SELECT 1 AS one")

    @Test("Many tasks share a few connections")
    func shared() async throws {
        try await withPool(configuration: .init(size: 3, timeout: .seconds(20))) { pool, _ in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<200 {
                    group.addTask { try await pool.execute(ping).first?.read("one", as: Int.self) ?? 0 }
                }
                var sum = 0
                for try await one in group { sum += one }
                #expect(sum == 200)
            }
            let rows = try await pool.execute(
                PostgresStatement(
                    "test",
                    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
                )
            )
            #expect(try #require(rows.first).read("n", as: Int.self) <= 3)
        }
    }

    @Test("A request that waits too long fails, and the pool stays usable")
    func bounds() async throws {
        try await withPool(configuration: .init(size: 1, maxWaiters: 1, timeout: .seconds(20))) { pool, _ in
            let (held, hold) = AsyncStream<Void>.makeStream()
            let (release, releasing) = AsyncStream<Void>.makeStream()
            let holder = Task {
                try await pool.withConnection("test") { _, _ in
                    hold.yield()
                    for await _ in release { break }
                }
            }
            for await _ in held { break }
            let waiting = Task { try await pool.execute(ping, timeout: .milliseconds(300)) }
            let error = await #expect(throws: PostgresError.self) { try await waiting.value }
            #expect(error?.code == .poolExhausted)
            releasing.yield()
            try await holder.value
            _ = try await pool.execute(ping)
        }
    }

    @Test("A slow statement does not open the circuit breaker")
    func slowStatement() async throws {
        try await withPool(configuration: .init(size: 2, timeout: .milliseconds(700))) { pool, _ in
            let slow = PostgresStatement("test", "SELECT pg_sleep(30)")
            let error = await #expect(throws: PostgresError.self) { try await pool.execute(slow) }
            #expect(error?.isTooSlow == true)
            #expect(pool.isServerAnswering)
            _ = try await pool.execute(ping)
        }
    }

    @Test("If a connection cannot be opened, the next waiting request tries again")
    func failureWakesWaiters() async throws {
        let url = try await TestCluster.shared.makeDatabase()
        // The server rejects the session setup, which does not count as an outage.
        let pool = PostgresPool(
            url: url,
            configuration: .init(size: 1, timeout: .seconds(20), session: "SELECT 1/0"),
            logger: Logger(label: "test"),
            metrics: PostgresMetrics(registry: MetricsRegistry())
        )
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    let error = await #expect(throws: PostgresError.self) { try await pool.execute(ping) }
                    #expect(error?.sqlState == "22012")
                }
            }
        }
        #expect(start.duration(to: .now) < scaledBound(.seconds(10)))
        await pool.close()
    }

    @Test("A connection that the server closed while it was idle is replaced without an error")
    func endedWhileIdle() async throws {
        try await withPool(configuration: .init(size: 3, timeout: .seconds(10), trustedIdleTime: .zero)) { pool, url in
            _ = try await pool.execute(ping)
            let other = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
            let rows = try await other.script(
                """
                SELECT count(pg_terminate_backend(pid, 5000))::text AS n FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """,
                deadline: .now + .seconds(10)
            )
            #expect(try rows.first?.read("n", as: String.self) == "1")
            _ = try await pool.execute(ping)
            #expect(pool.isServerAnswering)
            await other.close()
        }
    }

    @Test("A broken connection is replaced")
    func replaced() async throws {
        try await withPool(configuration: .init(size: 1, timeout: .seconds(5))) { pool, _ in
            let kill = PostgresStatement("test", "SELECT pg_terminate_backend(pg_backend_pid())")
            await #expect(throws: PostgresError.self) { try await pool.execute(kill) }
            let isBack = try await eventually { (try? await pool.execute(ping)) != nil }
            #expect(isBack)
        }
    }
}

@Suite("Circuit breaker")
struct BreakerTests {
    private let start = ContinuousClock.now

    @Test("It opens at the first failure and allows one probe after the delay")
    func opens() {
        var breaker = Breaker(firstDelay: .seconds(1), longestDelay: .seconds(3))
        #expect(breaker.isClosed)
        breaker.failed(at: start, jitter: 1)
        #expect(!breaker.isClosed)
        let probes = [999, 1_000, 1_000].map { breaker.startProbe(at: start + .milliseconds($0)) }
        #expect(probes == [false, true, false])
        breaker.succeeded()
        #expect(breaker.isClosed)
    }

    @Test("The delay doubles up to its limit, shortened by jitter")
    func backsOff() {
        var breaker = Breaker(firstDelay: .seconds(1), longestDelay: .seconds(3))
        var now = start
        breaker.failed(at: now, jitter: 1)
        for expected in [2, 3, 3] {
            now = now + .seconds(10)
            let mayProbe = breaker.startProbe(at: now)
            #expect(mayProbe)
            breaker.failed(at: now, jitter: 1)
            #expect(breaker.nextProbe == now + .seconds(expected))
        }
        now = now + .seconds(10)
        let mayProbe = breaker.startProbe(at: now)
        #expect(mayProbe)
        breaker.failed(at: now, jitter: 0)
        #expect(breaker.nextProbe == now + .milliseconds(1_500))
    }

    @Test("Late failures of requests that started before the outage change nothing")
    func lateFailures() {
        var breaker = Breaker(firstDelay: .seconds(1), longestDelay: .seconds(3))
        breaker.failed(at: start, jitter: 1)
        breaker.failed(at: start + .milliseconds(900), jitter: 1)
        #expect(breaker.nextProbe == start + .seconds(1))
    }
}
