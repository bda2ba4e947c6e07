import Foundation
import Logging
import Testing
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlTelemetry
import WhorlTestSupport

@testable import WhorlStore

@Suite("Duplicate detection")
struct DuplicateTests {
    private func prepared(_ id: EventID, at moment: Date, isReplay: Bool, _ codec: PayloadCodec) throws -> PreparedEvent
    {
        let event: JSON = ["message": "once"]
        let context = EventContext(projectID: 1, eventID: id, receivedAt: moment)
        var prepared = PreparedEvent(try EventPipeline.reprocess(event.encoded()[...], context), codec)
        prepared.isReplay = isReplay
        return prepared
    }

    /// Runs the body with the writers of two collectors on one database.
    private func withWriters(
        _ body: (EventWriter, EventWriter, PostgresPool, PayloadCodec) async throws -> Void
    ) async throws {
        try await withPool(configuration: .init(size: 8, timeout: .seconds(10))) { pool, _ in
            _ = try await pool.execute(
                SQLFragment("INSERT INTO project_counter (project_id) VALUES (1)"),
                operation: "test"
            )
            var configuration = EventWriter.Configuration()
            configuration.timeout = .seconds(10)
            let writers = (0..<2)
                .map { _ in
                    EventWriter(
                        pool: pool,
                        configuration: configuration,
                        logger: Logger(label: "test"),
                        registry: MetricsRegistry()
                    )
                }
            for writer in writers { writer.open() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in writers { group.addTask { try await writer.run() } }
                try await body(writers[0], writers[1], pool, PayloadCodec(pool: pool))
                group.cancelAll()
            }
        }
    }

    private func count(_ pool: PostgresPool) async throws -> Int {
        try await pool.execute(SQLFragment("SELECT count(*) AS n FROM event"), operation: "test").first?.read("n") ?? -1
    }

    @Test("Events submitted to two collectors at midnight are stored once per id")
    func midnight() async throws {
        try await withWriters { first, second, pool, codec in
            let midnight = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 / 86_400).rounded(.down) * 86_400)
            for round in 0..<40 {
                let id = EventID.random()
                let before = try prepared(id, at: midnight.addingTimeInterval(-1), isReplay: false, codec)
                let after = try prepared(id, at: midnight.addingTimeInterval(1), isReplay: false, codec)
                async let one = first.submit(before)
                async let two = second.submit(after)
                let outcomes = try await [one, two]
                #expect(outcomes.count { $0 == .duplicate } == 1, "round \(round): \(outcomes)")
            }
            #expect(try await count(pool) == 40)
        }
    }

    @Test("An event that is spooled, resent and stored two days later, then replayed, is stored once")
    func replayed() async throws {
        try await withWriters { first, second, pool, codec in
            let id = EventID.random()
            let now = Date()
            let spooled = try prepared(id, at: now.addingTimeInterval(-2 * 86_400), isReplay: true, codec)
            let resent = try prepared(id, at: now, isReplay: false, codec)
            let stored = try await first.submit(resent)
            #expect(stored == .stored(isNewIssue: true, isRegression: false))
            #expect(try await second.submit(spooled) == .duplicate)
            #expect(try await count(pool) == 1)
            // The longest time that a spool keeps an event.
            let old = try prepared(id, at: now.addingTimeInterval(-7 * 86_400), isReplay: true, codec)
            #expect(try await second.submit(old) == .duplicate)
        }
    }

    @Test("An event that is replayed days later while it is resent at the same moment is stored once")
    func replayedAtOnce() async throws {
        try await withWriters { first, second, pool, codec in
            let now = Date()
            for days in [1.0, 2, 6] {
                for round in 0..<30 {
                    let id = EventID.random()
                    let spooled = try prepared(id, at: now.addingTimeInterval(-days * 86_400), isReplay: true, codec)
                    let resent = try prepared(id, at: now, isReplay: false, codec)
                    async let one = first.submit(spooled)
                    async let two = second.submit(resent)
                    let outcomes = try await [one, two]
                    #expect(outcomes.count { $0 == .duplicate } == 1, "\(days) days, round \(round): \(outcomes)")
                }
            }
            #expect(try await count(pool) == 90)
        }
    }

    @Test("An event that is spooled, replayed two days later, then resent, is stored once")
    func replayedFirst() async throws {
        try await withWriters { first, second, pool, codec in
            let now = Date()
            for days in [2.0, 5, 7] {
                let id = EventID.random()
                let spooled = try prepared(id, at: now.addingTimeInterval(-days * 86_400), isReplay: true, codec)
                let resent = try prepared(id, at: now, isReplay: false, codec)
                let before = try await count(pool)
                guard case .stored = try await first.submit(spooled) else {
                    Issue.record("not stored")
                    return
                }
                #expect(try await second.submit(resent) == .duplicate)
                #expect(try await first.submit(resent) == .duplicate)
                #expect(try await second.submit(spooled) == .duplicate)
                #expect(try await count(pool) == before + 1)
            }
        }
    }

    @Test("Live events away from midnight take no lock")
    func locks() throws {
        let codec = try PayloadCodec(
            pool: PostgresPool(
                url: "postgresql://",
                logger: Logger(label: "test"),
                metrics: PostgresMetrics(registry: MetricsRegistry())
            )
        )
        let midnight = 20_000.0 * 86_400
        for (offset, isReplay, expected) in [
            (43_200.0, false, false), (43_200, true, true), (5, false, true), (-5, false, true), (599, false, true),
            (601, false, false), (-601, false, false),
        ] {
            let event = try prepared(
                .random(),
                at: Date(timeIntervalSince1970: midnight + offset),
                isReplay: isReplay,
                codec
            )
            #expect(DuplicateGuard.needsLock(event) == expected, "\(offset)")
        }
    }

    @Test("An outcome whose commit result was lost counts once")
    func outcomes() async throws {
        try await withPool { pool, url in
            let recorder = OutcomeRecorder(pool: pool, logger: Logger(label: "test"), registry: MetricsRegistry())
            recorder.count(projectID: 1, category: "error", outcome: .filtered, reason: "x", quantity: 7, at: Date())
            // The commit succeeds after the collector has stopped waiting for it.
            let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
            try await connection.script(
                """
                CREATE FUNCTION break_once() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    -- A slow commit that the client does not wait for and that a cancel request does not stop.
                    BEGIN
                        PERFORM pg_sleep(3);
                    EXCEPTION WHEN query_canceled THEN
                        NULL;
                    END;
                    RETURN NULL;
                END $$;
                CREATE CONSTRAINT TRIGGER break_once AFTER INSERT ON outcome_write DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION break_once()
                """,
                deadline: .now + .seconds(10)
            )
            let impatient = PostgresPool(
                url: url,
                configuration: .init(size: 1, timeout: .seconds(1)),
                logger: Logger(label: "test"),
                metrics: PostgresMetrics(registry: MetricsRegistry())
            )
            let running = Task { try await impatient.run() }
            defer { running.cancel() }
            let other = OutcomeRecorder(pool: impatient, logger: Logger(label: "test"), registry: MetricsRegistry())
            other.count(projectID: 1, category: "error", outcome: .filtered, reason: "y", quantity: 5, at: Date())
            await other.write()
            try await connection.script("DROP TRIGGER break_once ON outcome_write", deadline: .now + .seconds(10))
            // Counted in the meantime, and written after the lost one.
            other.count(projectID: 1, category: "error", outcome: .filtered, reason: "y", quantity: 2, at: Date())
            await recorder.write()
            var sums: [Int] = []
            let isWritten = try await eventually {
                await other.write()
                let rows = try await pool.execute(
                    SQLFragment("SELECT reason, sum(quantity)::int8 AS n FROM outcome GROUP BY 1 ORDER BY 1"),
                    operation: "test"
                )
                sums = try rows.map { try $0.read("n", as: Int.self) }
                return sums.reduce(0, +) >= 14
            }
            #expect(isWritten)
            await other.write()
            #expect(sums == [7, 7])
            await impatient.close()
            await connection.close()
        }
    }

    @Test("Retention runs only if the clocks differ by less than an hour")
    func clocks() throws {
        let now = Date()
        try DatabaseClock.check(now, against: now.addingTimeInterval(3_500))
        #expect(throws: DatabaseClock.ClocksDiffer.self) {
            try DatabaseClock.check(now, against: now.addingTimeInterval(3_700))
        }
        #expect(throws: DatabaseClock.ClocksDiffer.self) {
            try DatabaseClock.check(now, against: now.addingTimeInterval(-1e9))
        }
    }
}
