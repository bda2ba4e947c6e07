import Foundation
import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlServices
import WhorlTelemetry

/// Creates the partitions of the coming days and removes data older than the retention period.
///
/// Only rows are removed: an issue's counts do not change when its oldest events expire. Rows are deleted in small
/// steps, so that no statement holds locks for long.
package actor Retention: Service {
    /// The delay before a failed run is retried.
    private static let retryInterval = Duration.seconds(60)
    /// The maximum number of rows that one statement removes.
    private static let step = 5_000
    private static let day: TimeInterval = 86_400

    private let pool: PostgresPool
    private let days: Int
    private let interval: Duration
    private let logger: Logger
    private let lastSuccess: Gauge
    private var due = ContinuousClock.now

    package init(
        pool: PostgresPool,
        days: Int,
        interval: Duration = .seconds(3_600),
        logger: Logger,
        registry: MetricsRegistry
    ) {
        self.pool = pool
        self.days = days
        self.interval = interval
        self.logger = logger
        lastSuccess = registry.gauge(
            "whorl_retention_last_success_timestamp_seconds",
            "When old events were last removed, by Unix time."
        )
    }

    package func run() async throws {
        let tick = min(interval, Self.retryInterval)
        await PeriodicService(every: tick, startsAtOnce: true) { await self.runWhenDue() }.run()
    }

    private func runWhenDue() async {
        guard due <= .now else { return }
        do {
            try await runOnce(now: try await DatabaseClock(pool: pool).agreed())
            due = .now + interval
        } catch {
            logger.warning("retention not finished", metadata: ["db.error": "\(error)"])
        }
    }

    /// Creates the next partitions and removes data older than the retention period.
    package func runOnce(now: Date) async throws {
        let today = PostgresDay(now)
        let partitions = Partitions(pool: pool)
        try await partitions.createAhead(of: now)
        let first = today.advanced(by: -Int32(clamping: days))
        let dropped = try await partitions.drop(before: first)
        if dropped > 0 { logger.info("partitions dropped", metadata: ["partitions": "\(dropped)"]) }
        let steps: [(PostgresStatement, [PostgresValue])] = [
            (RetentionStatements.projectHashes, []), (RetentionStatements.projectIssues, []),
            (RetentionStatements.projectActivity, []), (RetentionStatements.projectJobs, []),
            (RetentionStatements.projectMoves, []), (RetentionStatements.projectReleases, []),
            (RetentionStatements.projectEnvironments, []), (RetentionStatements.deletedEvents, []),
            (RetentionStatements.deletedEnvironments, []),
            (RetentionStatements.deletedHours, []), (RetentionStatements.deletedUsers, []),
            (RetentionStatements.deletedTags, []), (RetentionStatements.deletedHashes, []),
            (RetentionStatements.projectBacklog, []), (RetentionStatements.projectDropped, []),
            (RetentionStatements.projectReplays, []),
            (RetentionStatements.projects, []),
            (RetentionStatements.oldHours, [first.start.postgresValue]),
            (RetentionStatements.oldTags, [first.postgresValue]),
            (RetentionStatements.oldIssues, [first.start.postgresValue]),
            (RegroupStatements.expire, [first.start.postgresValue]),
            (OutcomeStatements.rollUp, [now.addingTimeInterval(-2 * Self.day).postgresValue]),
            (OutcomeStatements.expire, [first.start.postgresValue]),
            (OutcomeStatements.forgetWrites, []), (RetentionStatements.oldReplays, []),
            (OutcomeStatements.forget, [now.addingTimeInterval(-7 * Self.day).postgresValue]),
            // The longest window is a month of 31 days.
            (BudgetStatements.expire, [now.addingTimeInterval(-32 * Self.day).postgresValue]),
        ]
        for (statement, values) in steps {
            while try await pool
                .execute(
                    statement,
                    values + [Self.step.postgresValue],
                    timeout: .seconds(30)
                )
                .affected >= Self.step
            { try Task.checkCancellation() }
        }
        lastSuccess.set(now.timeIntervalSince1970)
    }
}

enum RetentionStatements {
    static let all = [
        projectHashes, projectIssues, projectActivity, projectJobs, projectMoves, projectReleases,
        projectEnvironments,
        deletedEvents,
        deletedEnvironments, deletedHours, deletedUsers, deletedTags, deletedHashes, oldHours, oldTags,
        oldIssues, projectBacklog, projectDropped, projectReplays, oldReplays, projects,
    ]

    /// Removes at most `$1` rows of hashes whose issue was deleted.
    private static func deleted(_ table: String) -> PostgresStatement {
        PostgresStatement(
            "retention",
            """
            DELETE FROM \(table) WHERE (tableoid, ctid) IN (
                SELECT t.tableoid, t.ctid FROM \(table) t
                JOIN deleted_hash d ON d.project_id = t.project_id AND d.hash_id = t.hash_id
                LIMIT $1)
            """,
            [.int8]
        )
    }

    /// Moves the hashes of deleted projects to `deleted_hash`, so that their rows are removed.
    static let projectHashes = PostgresStatement(
        "retention",
        """
        WITH gone AS (
            DELETE FROM grouping_hash WHERE ctid IN (
                SELECT h.ctid FROM grouping_hash h
                JOIN project p ON p.id = h.project_id AND p.deleted_at IS NOT NULL
                LIMIT $1)
            RETURNING project_id, id
        )
        INSERT INTO deleted_hash (project_id, hash_id) SELECT project_id, id FROM gone ON CONFLICT DO NOTHING
        """,
        [.int8]
    )

    /// Removes at most `$1` rows of deleted projects.
    private static func ofDeletedProjects(_ table: String) -> PostgresStatement {
        PostgresStatement(
            "retention",
            """
            DELETE FROM \(table) WHERE ctid IN (
                SELECT t.ctid FROM \(table) t
                JOIN project p ON p.id = t.project_id AND p.deleted_at IS NOT NULL
                LIMIT $1)
            """,
            [.int8]
        )
    }

    static let projectIssues = ofDeletedProjects("issue")
    static let projectActivity = ofDeletedProjects("issue_activity")
    static let projectJobs = ofDeletedProjects("regroup_job")
    static let projectMoves = ofDeletedProjects("regroup_move")
    static let projectReleases = ofDeletedProjects("release")
    static let projectEnvironments = ofDeletedProjects("environment")
    static let projectBacklog = ofDeletedProjects("tag_backlog")
    static let projectDropped = ofDeletedProjects("dropped_event")
    static let projectReplays = ofDeletedProjects("late_replay")

    /// Removes replays older than 30 days; a spool keeps no record that long.
    static let oldReplays = PostgresStatement(
        "retention",
        """
        DELETE FROM late_replay WHERE ctid IN (
            SELECT ctid FROM late_replay WHERE replayed_at < now() - interval '30 days' LIMIT $1)
        """,
        [.int8]
    )
    static let deletedEvents = deleted("event")
    static let deletedEnvironments = deleted("hash_environment")
    static let deletedHours = deleted("hash_hour")
    static let deletedUsers = deleted("hash_user")
    static let deletedTags = deleted("hash_tag")

    /// Removes deleted projects that have no rows left, with their keys.
    ///
    /// The keys are retired, so that a start does not create them again.
    static let projects = PostgresStatement(
        "retention",
        """
        WITH gone AS MATERIALIZED (
            SELECT p.id FROM project p
            WHERE p.deleted_at < now() - interval '1 hour'
                AND NOT EXISTS (SELECT FROM grouping_hash h WHERE h.project_id = p.id)
                AND NOT EXISTS (SELECT FROM deleted_hash d WHERE d.project_id = p.id)
                AND NOT EXISTS (SELECT FROM issue i WHERE i.project_id = p.id)
                AND NOT EXISTS (SELECT FROM release r WHERE r.project_id = p.id)
                AND NOT EXISTS (SELECT FROM environment e WHERE e.project_id = p.id)
            LIMIT $1
        ),
        keys AS (DELETE FROM project_key k USING gone g WHERE k.project_id = g.id RETURNING k.public_key),
        retired AS (INSERT INTO retired_key (public_key) SELECT public_key FROM keys ON CONFLICT DO NOTHING),
        counters AS (DELETE FROM project_counter c USING gone g WHERE c.project_id = g.id)
        DELETE FROM project p USING gone g WHERE p.id = g.id
        """,
        [.int8]
    )

    /// Removes hashes deleted over an hour ago: a batch that ran when the issue was deleted has ended by then.
    static let deletedHashes = PostgresStatement(
        "retention",
        """
        DELETE FROM deleted_hash WHERE ctid IN (
            SELECT ctid FROM deleted_hash WHERE deleted_at < now() - interval '1 hour' LIMIT $1)
        """,
        [.int8]
    )

    static let oldHours = PostgresStatement(
        "retention",
        "DELETE FROM hash_hour WHERE ctid IN (SELECT ctid FROM hash_hour WHERE hour < $1 LIMIT $2)",
        [.timestamptz, .int8]
    )

    static let oldTags = PostgresStatement(
        "retention",
        "DELETE FROM hash_tag WHERE ctid IN (SELECT ctid FROM hash_tag WHERE day < $1 LIMIT $2)",
        [.date, .int8]
    )

    /// Removes issues whose last event is older than all stored rows, with their hashes.
    static let oldIssues = PostgresStatement(
        "retention",
        """
        WITH old AS (
            SELECT project_id, id FROM issue i
            WHERE last_seen_bucket < $1 AND last_seen < $1 AND merged_into IS NULL AND NOT EXISTS (
                SELECT FROM event e
                JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                WHERE h.project_id = i.project_id AND h.issue_id = i.id)
            LIMIT $2
            -- Issues that get an event at the same time are skipped: they are locked, or no longer old.
            FOR UPDATE SKIP LOCKED
        ),
        hashes AS (
            DELETE FROM grouping_hash h USING old
            WHERE h.project_id = old.project_id AND h.issue_id = old.id
            RETURNING h.project_id, h.id
        ),
        queued AS (INSERT INTO deleted_hash (project_id, hash_id) SELECT project_id, id FROM hashes)
        DELETE FROM issue i USING old
        WHERE i.project_id = old.project_id AND (i.id = old.id OR i.merged_into = old.id)
        """,
        [.timestamptz, .int8]
    )
}
