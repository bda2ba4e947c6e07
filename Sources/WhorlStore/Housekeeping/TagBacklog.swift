import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlServices
import WhorlTelemetry

/// Counts the tags of stored events, shortly after they are stored and many events at a time.
///
/// The statement that stores a batch adds it to the backlog, and the statement that counts removes it. So each tag is
/// counted exactly once, even after an interruption. Only one collector counts at a time. Tag queries count the
/// remaining backlog first.
package actor TagBacklog: Service {
    private static let interval = Duration.seconds(2)
    /// The maximum number of batches that one statement counts.
    private static let maxStep = 200
    /// The time limit of one statement; after a timeout the next one counts half as many batches.
    private static let timeout = Duration.seconds(10)
    /// The time in milliseconds that a reader waits for the backlog to be counted.
    ///
    /// After that it reads slightly outdated counts.
    private static let maxWait = 1_000
    /// The key of the advisory lock for counting: the key of the migration lock plus three.
    private static let lock = 0x77_686F_726F

    private let pool: PostgresPool
    private let logger: Logger
    private let waiting: Gauge
    /// The number of batches that the next statement counts.
    private var step = maxStep

    package init(pool: PostgresPool, logger: Logger, registry: MetricsRegistry) {
        self.pool = pool
        self.logger = logger
        waiting = registry.gauge("whorl_tag_backlog_batches", "Batches of events whose tags are not counted yet.")
    }

    package func run() async throws {
        await PeriodicService(every: Self.interval) { await self.countAll() }.run()
    }

    private func countAll() async {
        do {
            waiting.set(Double(try await Self.length(pool)))
            while try await Self.count(pool, step, timeout: Self.timeout) == step {}
            step = min(step * 2, Self.maxStep)
        } catch let error as PostgresError where !Task.isCancelled && step > 1 && error.code != .unavailable {
            // The batches may have been too many for one statement.
            step /= 2
            logger.warning("tags not counted", metadata: ["db.error": "\(error)", "batches.next": "\(step)"])
        } catch {
            logger.debug("tags not counted", metadata: ["db.error": "\(error)"])
        }
    }

    /// Counts the backlog before tags are read; gives up after a short time when the backlog is large.
    package static func countBacklog(_ pool: PostgresPool) async throws {
        guard try await length(pool) > 0 else { return }
        do {
            // The server enforces the timeout: a missed deadline of the pool would count as an unavailable server.
            try await pool.transaction("count_tags", timeout: .seconds(5)) { connection, deadline in
                try await connection.script("SET LOCAL statement_timeout = \(maxWait)", deadline: deadline)
                let mine = try await connection.execute(
                    TagBacklogStatements.tryLock,
                    [lock.postgresValue],
                    deadline: deadline
                )
                guard try mine.first?.read("is_mine", as: Bool.self) == true else { return }
                _ = try await connection.execute(
                    TagBacklogStatements.count,
                    [maxStep.postgresValue],
                    deadline: deadline
                )
            }
        } catch let error as PostgresError where error.sqlState == "57014" || error.isTransient {}
    }

    private static func length(_ pool: PostgresPool) async throws -> Int {
        try await pool.execute(TagBacklogStatements.length).first?.read("batches") ?? 0
    }

    /// Counts the oldest batches, at most `step`, and returns their number.
    private static func count(_ pool: PostgresPool, _ step: Int, timeout: Duration) async throws -> Int {
        try await pool.transaction("count_tags", timeout: timeout) { connection, deadline in
            try await connection.script("SELECT pg_advisory_xact_lock(\(lock))", deadline: deadline)
            return
                try await connection.execute(TagBacklogStatements.count, [step.postgresValue], deadline: deadline).count
        }
    }
}

enum TagBacklogStatements {
    static let all = [length, tryLock, count]

    /// Takes the lock without waiting for another collector that counts.
    static let tryLock = PostgresStatement("count_tags", "SELECT pg_try_advisory_xact_lock($1) AS is_mine", [.int8])

    /// The maximum number of values for one tag key of one hash on one day; further values count as `__other__`.
    static let maxTagValues = 100

    /// The approximate number of batches in the backlog, from the two ends of an index.
    static let length = PostgresStatement(
        "count_tags",
        "SELECT coalesce(max(id) - min(id) + 1, 0)::int8 AS batches FROM tag_backlog"
    )

    /// Returns one row for each counted batch.
    ///
    /// Tags of hashes that were deleted in the meantime are skipped.
    static let count = PostgresStatement(
        "count_tags",
        """
        WITH taken AS MATERIALIZED (
            DELETE FROM tag_backlog
            WHERE (project_id, id) IN (SELECT project_id, id FROM tag_backlog ORDER BY id LIMIT $1)
            RETURNING *
        ),
        tag_counts AS MATERIALIZED (
            SELECT t.project_id, e.hash_id, e.day, e.environment_id, tag,
                count(*) AS events, min(e.occurred_at) AS first_seen, max(e.occurred_at) AS last_seen
            FROM taken t,
                unnest(t.hash_ids, t.environment_ids, t.days, t.occurred_at, t.tags)
                    AS e (hash_id, environment_id, day, occurred_at, tags),
                unnest(string_to_array(e.tags, E'\\x1f')) AS tag
            WHERE EXISTS (SELECT FROM grouping_hash h WHERE h.project_id = t.project_id AND h.id = e.hash_id)
            GROUP BY 1, 2, 3, 4, 5
        ),
        tag_parts AS MATERIALIZED (
            SELECT c.*, split_part(tag, '=', 1) AS key, substr(tag, strpos(tag, '=') + 1) AS value
            FROM tag_counts c
        ),
        tag_known AS MATERIALIZED (
            SELECT p.*, EXISTS (
                SELECT FROM hash_tag t
                WHERE t.project_id = p.project_id AND t.hash_id = p.hash_id AND t.key = p.key AND t.day = p.day
                    AND t.value = p.value) AS known
            FROM tag_parts p
        ),
        tag_new AS (
            -- New values, numbered after the values that the key has already.
            SELECT n.*, n.held + dense_rank() OVER (PARTITION BY project_id, hash_id, key, day ORDER BY value) AS place
            FROM (
                SELECT k.project_id, k.hash_id, k.key, k.day, k.value,
                    (SELECT count(*) FROM (
                        SELECT DISTINCT t.value FROM hash_tag t
                        WHERE t.project_id = k.project_id AND t.hash_id = k.hash_id AND t.key = k.key
                            AND t.day = k.day) AS v) AS held
                FROM (SELECT DISTINCT project_id, hash_id, key, day, value FROM tag_known WHERE NOT known) AS k
            ) AS n
        ),
        added AS (
            INSERT INTO hash_tag (
                project_id, hash_id, key, day, value, environment_id, events, first_seen, last_seen)
            SELECT k.project_id, k.hash_id, k.key, k.day,
                CASE WHEN k.known OR n.place <= \(maxTagValues) THEN k.value ELSE '__other__' END,
                k.environment_id, sum(k.events), min(k.first_seen), max(k.last_seen)
            FROM tag_known k
            LEFT JOIN tag_new n ON n.project_id = k.project_id AND n.hash_id = k.hash_id AND n.key = k.key
                AND n.day = k.day AND n.value = k.value
            GROUP BY 1, 2, 3, 4, 5, 6
            ORDER BY 1, 2, 3, 4, 5, 6
            ON CONFLICT (project_id, hash_id, key, day, value, environment_id) DO UPDATE SET
                events = hash_tag.events + excluded.events,
                first_seen = least(hash_tag.first_seen, excluded.first_seen),
                last_seen = greatest(hash_tag.last_seen, excluded.last_seen)
        )
        SELECT 1 AS one FROM taken
        """,
        [.int8]
    )
}
