import Foundation
import WhorlPostgres

/// Merges issues and unmerges them again, by hash.
///
/// No data is copied or lost: hashes point to another issue, and the issue's statistics are recomputed from those of
/// its hashes.
package struct IssueMerging: Sendable {
    /// The maximum number of issues in one merge.
    package static let maxIssues = 100
    private static let timeout = Duration.seconds(20)

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// A hash of an issue.
    package struct Hash: Sendable {
        package let hash: [UInt8]
        /// The issue that the hash was created for.
        ///
        /// After a merge, the hash points to a different issue.
        package let homeIssueID: Int
        package let events: Int
        package let firstSeen: Date?
        package let lastSeen: Date?
    }

    /// The reason why issues cannot be merged or unmerged.
    package enum Failure: Error, Sendable, Equatable {
        /// The issue has none of the given hashes.
        case unknownHashes
        /// The issue would be left without any hash that has events.
        case nothingLeft
        /// Fewer than two issues are left to merge.
        case tooFew
    }

    /// Merges issues of a project into the one with the most events; returns its id and those of the others.
    ///
    /// `also` runs before the merge in the same transaction.
    package func merge(
        projectID: Int,
        ids: [Int],
        actor: String?,
        also: @Sendable (PostgresConnection, ContinuousClock.Instant) async throws -> Void = { _, _ in }
    ) async throws -> (target: Int, merged: [Int]) {
        try await pool.transaction("merge_issues", timeout: Self.timeout) { connection, deadline in
            try await also(connection, deadline)
            let rows = try await connection.execute(
                MergeStatements.lock,
                [projectID.postgresValue, .array(of: ids)],
                deadline: deadline
            )
            let found = try rows.map {
                (id: try $0.read("id", as: Int.self), events: try $0.read("event_count", as: Int.self))
            }
            guard let target = found.max(by: { ($0.events, -$0.id) < ($1.events, -$1.id) })?.id, found.count > 1 else {
                throw Failure.tooFew
            }
            let merged = found.map(\.id).filter { $0 != target }
            for statement in [MergeStatements.point, MergeStatements.hide] {
                _ = try await connection.execute(
                    statement,
                    [projectID.postgresValue, .array(of: merged), target.postgresValue],
                    deadline: deadline
                )
            }
            try await sum([target], projectID, connection, deadline)
            let data = "{\"issues\":[\(merged.map { "\"\($0)\"" }.joined(separator: ","))]}"
            try await note("merge", target, data, projectID, actor, connection, deadline)
            for id in merged {
                try await note("merged_into", id, "{\"issue\":\"\(target)\"}", projectID, actor, connection, deadline)
            }
            return (target, merged)
        }
    }

    /// Moves hashes out of their issue; returns the issues that contain them now.
    ///
    /// Each hash goes back to the issue that it was created for, which is shown again in its former state. Hashes that
    /// were created for this issue become a new issue.
    package func unmerge(projectID: Int, issueID: Int, hashes: [[UInt8]], actor: String?) async throws -> [Int] {
        try await pool.transaction("merge_issues", timeout: Self.timeout) { connection, deadline in
            _ = try await connection.execute(
                MergeStatements.lock,
                [projectID.postgresValue, .array(of: [issueID])],
                deadline: deadline
            )
            var homes: [Int: [Int]] = [:]
            let chosen = try await connection.execute(
                MergeStatements.chosen,
                [projectID.postgresValue, issueID.postgresValue, .array(of: hashes)],
                deadline: deadline
            )
            for row in chosen { homes[try row.read("home_issue_id"), default: []].append(try row.read("id")) }
            guard !homes.isEmpty else { throw Failure.unknownHashes }
            let left: Int =
                try await connection
                .execute(
                    MergeStatements.left,
                    [projectID.postgresValue, issueID.postgresValue, .array(of: homes.values.flatMap { $0 })],
                    deadline: deadline
                )
                .first?
                .read("hashes") ?? 0
            guard left > 0 else { throw Failure.nothingLeft }
            var issues: [Int] = []
            for (home, ids) in homes.sorted(by: { $0.key < $1.key }) {
                // Shows the issue that the hashes were created for again, or creates a new one.
                let shown = try await connection.execute(
                    home == issueID ? MergeStatements.split : MergeStatements.show,
                    [projectID.postgresValue, (home == issueID ? issueID : home).postgresValue],
                    deadline: deadline
                )
                var rows = shown
                if rows.isEmpty, home != issueID {
                    rows = try await connection.execute(
                        MergeStatements.split,
                        [projectID.postgresValue, issueID.postgresValue],
                        deadline: deadline
                    )
                }
                guard let id: Int = try rows.first?.read("id") else { throw Failure.unknownHashes }
                _ = try await connection.execute(
                    MergeStatements.move,
                    [
                        projectID.postgresValue, .array(of: ids), id.postgresValue, home.postgresValue,
                        issueID.postgresValue,
                    ],
                    deadline: deadline
                )
                issues.append(id)
                try await note(
                    "unmerge_destination",
                    id,
                    "{\"issue\":\"\(issueID)\"}",
                    projectID,
                    actor,
                    connection,
                    deadline
                )
            }
            try await sum([issueID] + issues, projectID, connection, deadline)
            let data = "{\"issues\":[\(issues.map { "\"\($0)\"" }.joined(separator: ","))]}"
            try await note("unmerge_source", issueID, data, projectID, actor, connection, deadline)
            return issues
        }
    }

    /// The hashes of an issue, those with the most events first.
    package func hashes(projectID: Int, issueID: Int) async throws -> [Hash] {
        try await pool.execute(MergeStatements.list, [projectID.postgresValue, issueID.postgresValue])
            .map { row in
                Hash(
                    hash: try row.read("hash"),
                    homeIssueID: try row.read("home_issue_id"),
                    events: try row.read("events"),
                    firstSeen: try row.readOptional("first_seen"),
                    lastSeen: try row.readOptional("last_seen")
                )
            }
    }

    private func sum(
        _ ids: [Int],
        _ projectID: Int,
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.execute(
            MergeStatements.sum,
            [projectID.postgresValue, .array(of: ids)],
            deadline: deadline
        )
    }

    private func note(
        _ kind: String,
        _ issueID: Int,
        _ data: String,
        _ projectID: Int,
        _ actor: String?,
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.execute(
            MergeStatements.note,
            [
                projectID.postgresValue, issueID.postgresValue, kind.postgresValue, .optional(actor),
                data.postgresValue,
            ],
            deadline: deadline
        )
    }
}

enum MergeStatements {
    static let all = [lock, point, hide, chosen, left, show, split, move, sum, note, list]

    /// Locks issues in the order of their ids, like the statement that stores a batch.
    static let lock = PostgresStatement(
        "merge_issues",
        """
        SELECT id, event_count FROM issue
        WHERE project_id = $1 AND id = ANY ($2) AND merged_into IS NULL
        ORDER BY id
        FOR UPDATE
        """,
        [.int8, PostgresType.int8.array]
    )

    static let point = PostgresStatement(
        "merge_issues",
        "UPDATE grouping_hash SET issue_id = $3 WHERE project_id = $1 AND issue_id = ANY ($2)",
        [.int8, PostgresType.int8.array, .int8]
    )

    static let hide = PostgresStatement(
        "merge_issues",
        """
        UPDATE issue SET merged_into = $3, hash_epoch = hash_epoch + 1
        WHERE project_id = $1 AND (id = ANY ($2) OR merged_into = ANY ($2))
        """,
        [.int8, PostgresType.int8.array, .int8]
    )

    static let chosen = PostgresStatement(
        "merge_issues",
        "SELECT id, home_issue_id FROM grouping_hash WHERE project_id = $1 AND issue_id = $2 AND hash = ANY ($3)",
        [.int8, .int8, PostgresType.bytea.array]
    )

    static let left = PostgresStatement(
        "merge_issues",
        """
        SELECT count(*) AS hashes FROM grouping_hash h
        WHERE h.project_id = $1 AND h.issue_id = $2 AND h.id <> ALL ($3) AND EXISTS (
            SELECT FROM hash_environment n WHERE n.project_id = h.project_id AND n.hash_id = h.id)
        """,
        [.int8, .int8, PostgresType.int8.array]
    )

    static let show = PostgresStatement(
        "merge_issues",
        """
        UPDATE issue SET merged_into = NULL
        WHERE project_id = $1 AND id = $2
        RETURNING id
        """,
        [.int8, .int8]
    )

    /// Creates an issue with the properties of the issue that it is split from.
    static let split = PostgresStatement(
        "merge_issues",
        """
        WITH number AS (
            UPDATE project_counter SET next_short_id = next_short_id + 1 WHERE project_id = $1
            RETURNING next_short_id - 1 AS short_id
        )
        INSERT INTO issue (
            project_id, id, short_id, status, substatus, level, type, title, culprit, location, metadata, platform,
            logger, is_unhandled, first_seen, last_seen, last_seen_bucket, first_release_id)
        SELECT i.project_id, nextval('issue_id_sequence'), number.short_id, 0, 'ongoing', i.level, i.type, i.title,
            i.culprit, i.location, i.metadata, i.platform, i.logger, i.is_unhandled, i.first_seen, i.last_seen,
            i.last_seen_bucket, i.first_release_id
        FROM issue i, number
        WHERE i.project_id = $1 AND i.id = $2
        RETURNING id
        """,
        [.int8, .int8]
    )

    /// Moves the chosen hashes and the hashes of the same home issue that have no events.
    ///
    /// The latter only help to find the home issue.
    static let move = PostgresStatement(
        "merge_issues",
        """
        UPDATE grouping_hash h SET issue_id = $3, home_issue_id = $3
        WHERE h.project_id = $1 AND (h.id = ANY ($2) OR h.issue_id = $5 AND h.home_issue_id = $4 AND $4 <> $5
            AND NOT EXISTS (
                SELECT FROM hash_environment n WHERE n.project_id = h.project_id AND n.hash_id = h.id))
        """,
        [.int8, PostgresType.int8.array, .int8, .int8, .int8]
    )

    /// Recomputes an issue's statistics from those of its hashes.
    static let sum = PostgresStatement(
        "merge_issues",
        """
        UPDATE issue i SET
            event_count = coalesce(s.events, 0),
            user_count = coalesce((
                SELECT count(DISTINCT u.user_hash) FROM grouping_hash h
                JOIN hash_user u ON u.project_id = h.project_id AND u.hash_id = h.id AND u.environment_id = 0
                WHERE h.project_id = i.project_id AND h.issue_id = i.id), 0),
            first_seen = coalesce(s.first_seen, i.first_seen),
            last_seen = coalesce(s.last_seen, i.last_seen),
            last_seen_bucket = date_bin(
                '5 minutes', coalesce(s.last_seen, i.last_seen), timestamptz '2000-01-01 00:00:00Z'),
            last_release_id = coalesce((
                SELECT e.release_id FROM grouping_hash h, LATERAL (
                    SELECT occurred_at, release_id FROM event
                    WHERE project_id = h.project_id AND hash_id = h.id
                    ORDER BY occurred_at DESC
                    LIMIT 1) AS e
                WHERE h.project_id = i.project_id AND h.issue_id = i.id
                ORDER BY e.occurred_at DESC
                LIMIT 1), i.last_release_id),
            hash_epoch = i.hash_epoch + 1
        FROM unnest($2) AS w (id)
        LEFT JOIN LATERAL (
            SELECT sum(n.events)::int8 AS events, min(n.first_seen) AS first_seen, max(n.last_seen) AS last_seen
            FROM grouping_hash h
            JOIN hash_environment n ON n.project_id = h.project_id AND n.hash_id = h.id
            WHERE h.project_id = $1 AND h.issue_id = w.id
        ) AS s ON true
        WHERE i.project_id = $1 AND i.id = w.id
        """,
        [.int8, PostgresType.int8.array]
    )

    static let note = PostgresStatement(
        "merge_issues",
        "INSERT INTO issue_activity (project_id, issue_id, kind, actor, data) VALUES ($1, $2, $3, $4, $5)",
        [.int8, .int8, .text, .text, .text]
    )

    static let list = PostgresStatement(
        "issue_hashes",
        """
        SELECT h.hash, h.home_issue_id, coalesce(sum(n.events), 0)::int8 AS events, min(n.first_seen) AS first_seen,
            max(n.last_seen) AS last_seen
        FROM grouping_hash h
        LEFT JOIN hash_environment n ON n.project_id = h.project_id AND n.hash_id = h.id
        WHERE h.project_id = $1 AND h.issue_id = $2
        GROUP BY h.id, h.hash, h.home_issue_id
        ORDER BY 3 DESC, h.id
        LIMIT 1000
        """,
        [.int8, .int8]
    )
}
