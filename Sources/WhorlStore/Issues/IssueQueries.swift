import Foundation
import WhorlPostgres

/// Issues: lists, single ones, their numbers over time, and what people decide about them.
package struct IssueQueries: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// By what a list is sorted, always falling.
    package enum Order: String, Sendable {
        case date
        case new
        case freq
        case user
    }

    /// What a list shows.
    package struct Request: Sendable {
        package var projectIDs: [Int]
        package var query: SearchQuery
        package var order: Order = .date
        /// Empty means all.
        package var environments: [String] = []
        /// Only issues with an event at or after this moment.
        package var from: Date?
        package var to: Date?
        package var cursor: Cursor?
        package var limit = 100

        package init(projectIDs: [Int], query: SearchQuery) {
            self.projectIDs = projectIDs
            self.query = query
        }
    }

    /// A list is searched for this long at most; then the caller gets an error instead of a slow database for everybody.
    private static let timeout = Duration.seconds(10)

    /// One page of issues.
    package func list(_ request: Request, now: Date = Date()) async throws -> Page<Issue> {
        let search = try IssueSearch(request.query, now: now)
        var sql = try select(request, search)
        let sort: StaticString =
            switch request.order {
            case .date: "(extract(epoch FROM s.last_seen) * 1000000)::int8"
            case .new: "(extract(epoch FROM s.first_seen) * 1000000)::int8"
            case .freq: "s.events"
            case .user: "s.users"
            }
        // Sorted by the bucket first, which is the same order, the list can be read from its index.
        let usesBuckets = request.order == .date && request.environments.isEmpty && search.environments.isEmpty
        let backwards = request.cursor?.isPrevious ?? false
        if let cursor = request.cursor {
            if usesBuckets {
                sql.append(backwards ? " AND i.last_seen_bucket >= " : " AND i.last_seen_bucket <= ")
                sql.append("date_bin('5 minutes', ")
                sql.bind(Date(timeIntervalSince1970: Double(cursor.value) / 1e6))
                sql.append(", timestamptz '2000-01-01 00:00:00Z')")
            }
            sql.append(" AND (")
            sql.append(sort)
            sql.append(backwards ? ", i.id) > (" : ", i.id) < (")
            sql.bind(cursor.value)
            sql.append(", ")
            sql.bind(cursor.id)
            sql.append(")")
        }
        sql.append(" ORDER BY ")
        if usesBuckets { sql.append(backwards ? "i.last_seen_bucket ASC, " : "i.last_seen_bucket DESC, ") }
        sql.append(sort)
        sql.append(backwards ? " ASC, i.id ASC" : " DESC, i.id DESC")
        sql.append(" LIMIT ")
        sql.bind(request.limit + 1)
        let issues = try await pool.execute(sql, operation: "issue_list", timeout: Self.timeout).map(Issue.init)
        return Page(issues, limit: request.limit, cursor: request.cursor) { issue in
            func micros(_ date: Date) -> Int { Int(exactly: (date.timeIntervalSince1970 * 1e6).rounded()) ?? 0 }
            return switch request.order {
            case .date: (micros(issue.lastSeen), issue.id)
            case .new: (micros(issue.firstSeen), issue.id)
            case .freq: (issue.events, issue.id)
            case .user: (issue.users, issue.id)
            }
        }
    }

    /// The ids of all issues of a request, for an update of all of them; at most so many.
    package func ids(_ request: Request, limit: Int) async throws -> [(projectID: Int, id: Int)] {
        let search = try IssueSearch(request.query, now: Date())
        var sql = try select(request, search)
        sql.append(" ORDER BY i.id LIMIT ")
        sql.bind(limit)
        return try await pool.execute(sql, operation: "issue_list", timeout: Self.timeout)
            .map {
                (try $0.read("project_id"), try $0.read("id"))
            }
    }

    private func select(_ request: Request, _ search: IssueSearch) throws -> SQLFragment {
        var sql = SQLFragment(
            """
            SELECT i.id, i.project_id, i.short_id, i.status, i.substatus, i.level, i.type, i.title, i.culprit,
                i.location, i.metadata, i.platform, i.logger, i.is_unhandled, s.first_seen, s.last_seen, s.events,
                s.users, p.slug AS project, p.name AS project_name, p.platform AS project_platform,
                o.slug AS organization, fr.version AS first_release, lr.version AS last_release
            FROM issue i
            JOIN project p ON p.id = i.project_id
            JOIN organization o ON o.id = p.organization_id
            LEFT JOIN release fr ON fr.project_id = i.project_id AND fr.id = i.first_release_id
            LEFT JOIN release lr ON lr.project_id = i.project_id AND lr.id = i.last_release_id
            JOIN LATERAL (
            """
        )
        let environments = request.environments + search.environments.filter { !$0.contains("*") && !$0.isEmpty }
        if environments.isEmpty {
            sql.append("SELECT i.first_seen, i.last_seen, i.event_count AS events, i.user_count AS users")
        } else {
            sql.append(
                """
                SELECT min(n.first_seen) AS first_seen, max(n.last_seen) AS last_seen,
                    coalesce(sum(n.events), 0)::int8 AS events,
                    (SELECT count(DISTINCT u.user_hash) FROM hash_user u
                        JOIN grouping_hash uh ON uh.project_id = u.project_id AND uh.id = u.hash_id
                        JOIN environment ue ON ue.project_id = u.project_id AND ue.id = u.environment_id
                        WHERE uh.project_id = i.project_id AND uh.issue_id = i.id AND ue.name = ANY (
                """
            )
            sql.bind(.array(of: environments))
            sql.append(
                """
                )) AS users
                FROM hash_environment n
                JOIN grouping_hash h ON h.project_id = n.project_id AND h.id = n.hash_id
                JOIN environment v ON v.project_id = n.project_id AND v.id = n.environment_id
                WHERE h.project_id = i.project_id AND h.issue_id = i.id AND v.name = ANY (
                """
            )
            sql.bind(.array(of: environments))
            sql.append(")")
        }
        sql.append(") AS s ON s.events > 0 WHERE ")
        if let only = request.projectIDs.first, request.projectIDs.count == 1 {
            sql.append("i.project_id = ")
            sql.bind(only)
        } else {
            sql.append("i.project_id = ANY (")
            sql.bind(.array(of: request.projectIDs))
            sql.append(")")
        }
        sql.append(" AND i.merged_into IS NULL")
        sql.append(search.issue)
        if let from = request.from {
            sql.append(" AND s.last_seen >= ")
            sql.bind(from)
        }
        if let to = request.to {
            sql.append(" AND s.first_seen <= ")
            sql.bind(to)
        }
        if !search.event.sql.isEmpty {
            sql.append(
                """
                 AND EXISTS (
                    SELECT FROM event e
                    JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                    JOIN environment v ON v.project_id = e.project_id AND v.id = e.environment_id
                    LEFT JOIN release r ON r.project_id = e.project_id AND r.id = e.release_id
                    WHERE h.project_id = i.project_id AND h.issue_id = i.id
                """
            )
            sql.append(search.event)
            if !request.environments.isEmpty {
                sql.append(" AND v.name = ANY (")
                sql.bind(.array(of: request.environments))
                sql.append(")")
            }
            sql.append(")")
        }
        return sql
    }

    /// One issue, if it belongs to one of the projects that the asker may see.
    ///
    /// `organizationID` is nil for a token of the whole installation.
    package func issue(id: Int, organizationID: Int?) async throws -> Issue? {
        try await pool.execute(IssueStatements.byID, [id.postgresValue, .optional(organizationID)])
            .first.map(Issue.init)
    }

    /// The issue of a short id such as `WEB-2A` in an organization.
    package func issue(shortID: ShortID, organizationID: Int) async throws -> Issue? {
        try await pool.execute(
            IssueStatements.byShortID,
            [organizationID.postgresValue, shortID.project.postgresValue, shortID.number.postgresValue]
        )
        .first.map(Issue.init)
    }

    /// An issue with its project.
    package typealias Place = (projectID: Int, id: Int)

    /// Those of the ids that name issues which are shown, within the projects; of a merged issue there is nothing.
    package func shown(_ ids: [Int], projectIDs: [Int]) async throws -> [Place] {
        try await pool.execute(IssueStatements.shown, [.array(of: projectIDs), .array(of: ids)])
            .map { (try $0.read("project_id"), try $0.read("id")) }
    }

    /// Changes the status of issues, all or none.
    package func update(_ issues: [Place], status: IssueStatus, substatus: String?, actor: String?) async throws {
        try await pool.transaction("issue_update", timeout: Self.timeout) { connection, deadline in
            try await Self.update(
                issues,
                status: status,
                substatus: substatus,
                actor: actor,
                on: connection,
                deadline
            )
        }
    }

    /// The same as part of a transaction.
    package static func update(
        _ issues: [Place],
        status: IssueStatus,
        substatus: String?,
        actor: String?,
        on connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.execute(
            IssueStatements.update,
            [
                .array(of: issues.map(\.projectID)), .array(of: issues.map(\.id)), status.rawValue.postgresValue,
                .optional(substatus), "set_\(status.name)".postgresValue, .optional(actor),
            ],
            deadline: deadline
        )
    }

    /// Deletes issues, all or none; their events are removed in the background, and the next event of a kind starts a new
    /// issue.
    package func delete(_ issues: [Place]) async throws {
        _ = try await pool.execute(
            IssueStatements.delete,
            [.array(of: issues.map(\.projectID)), .array(of: issues.map(\.id))],
            timeout: Self.timeout
        )
    }

    /// What happened to an issue, newest first.
    package func activity(projectID: Int, id: Int) async throws -> [IssueActivity] {
        try await pool.execute(IssueStatements.activity, [projectID.postgresValue, id.postgresValue])
            .map {
                IssueActivity(
                    id: try $0.read("id"),
                    kind: try $0.read("kind"),
                    at: try $0.read("created_at"),
                    actor: try $0.readOptional("actor"),
                    data: try $0.readOptional("data")
                )
            }
    }

    /// How many events of an issue are kept without their payload, since too many came at once.
    package func thinEvents(projectID: Int, id: Int) async throws -> Int {
        try await pool.execute(IssueStatements.thin, [projectID.postgresValue, id.postgresValue])
            .first?
            .read("events") ?? 0
    }

    /// Events per step for each issue, oldest first, gaps filled with zero; steps are whole hours.
    package func series(
        _ issues: [(projectID: Int, id: Int)],
        from: Date,
        steps: Int,
        step: TimeInterval,
        environments: [String]
    ) async throws -> [Int: [Int]] {
        guard !issues.isEmpty, steps > 0 else { return [:] }
        var result = Dictionary(uniqueKeysWithValues: issues.map { ($0.id, [Int](repeating: 0, count: steps)) })
        let rows = try await pool.execute(
            IssueStatements.series,
            [
                .array(of: issues.map(\.projectID)), .array(of: issues.map(\.id)), from.postgresValue,
                from.addingTimeInterval(Double(steps) * step).postgresValue, .array(of: environments),
            ]
        )
        for row in rows {
            let hour = try row.read("hour", as: Date.self)
            let index = Int((hour.timeIntervalSince(from) / step).rounded(.down))
            guard (0..<steps).contains(index) else { continue }
            result[try row.read("issue_id"), default: []][index] += try row.read("events")
        }
        return result
    }
}

enum IssueStatements {
    static let all = [byID, byShortID, shown, update, delete, activity, series, thin]

    private static let select = """
        SELECT i.id, i.project_id, i.short_id, i.status, i.substatus, i.level, i.type, i.title, i.culprit, i.location,
            i.metadata, i.platform, i.logger, i.is_unhandled, i.first_seen, i.last_seen, i.event_count AS events,
            i.user_count AS users, p.slug AS project, p.name AS project_name, p.platform AS project_platform,
            o.slug AS organization, fr.version AS first_release, lr.version AS last_release
        FROM issue i
        JOIN project p ON p.id = i.project_id AND p.deleted_at IS NULL
        JOIN organization o ON o.id = p.organization_id
        LEFT JOIN release fr ON fr.project_id = i.project_id AND fr.id = i.first_release_id
        LEFT JOIN release lr ON lr.project_id = i.project_id AND lr.id = i.last_release_id

        """

    static let byID = PostgresStatement(
        "issue",
        select
            + """
            WHERE i.project_id IN (SELECT id FROM project WHERE $2::int8 IS NULL OR organization_id = $2)
                AND i.id = coalesce(
                    (SELECT m.merged_into FROM issue m WHERE m.id = $1 AND m.project_id IN (
                        SELECT id FROM project WHERE $2::int8 IS NULL OR organization_id = $2)), $1)
            """,
        [.int8, .int8]
    )

    static let thin = PostgresStatement(
        "issue",
        """
        SELECT coalesce(sum(n.thin_events), 0)::int8 AS events
        FROM grouping_hash h
        JOIN hash_environment n ON n.project_id = h.project_id AND n.hash_id = h.id
        WHERE h.project_id = $1 AND h.issue_id = $2
        """,
        [.int8, .int8]
    )

    static let byShortID = PostgresStatement(
        "issue",
        select
            + """
            WHERE p.organization_id = $1 AND p.slug = $2 AND i.id = (
                SELECT coalesce(m.merged_into, m.id) FROM issue m WHERE m.project_id = p.id AND m.short_id = $3)
            """,
        [.int8, .text, .int8]
    )

    static let shown = PostgresStatement(
        "issue",
        """
        SELECT project_id, id FROM issue
        WHERE project_id = ANY ($1) AND id = ANY ($2) AND merged_into IS NULL
        ORDER BY project_id, id
        """,
        [PostgresType.int8.array, PostgresType.int8.array]
    )

    /// Locks the issues in the order of their keys first, as the statement that stores events does.
    static let update = PostgresStatement(
        "issue_update",
        """
        WITH locked AS MATERIALIZED (
            SELECT project_id, id FROM issue
            WHERE (project_id, id) IN (SELECT * FROM unnest($1, $2))
            ORDER BY project_id, id
            FOR NO KEY UPDATE
        ),
        changed AS (
            UPDATE issue i SET status = $3, substatus = $4, resolved_at = CASE WHEN $3 = 1 THEN now() END
            FROM locked l
            WHERE i.project_id = l.project_id AND i.id = l.id
                AND (i.status <> $3 OR i.substatus IS DISTINCT FROM $4)
            RETURNING i.project_id, i.id
        )
        INSERT INTO issue_activity (project_id, issue_id, kind, actor) SELECT project_id, id, $5, $6 FROM changed
        """,
        [PostgresType.int8.array, PostgresType.int8.array, .int2, .text, .text, .text]
    )

    static let delete = PostgresStatement(
        "issue_update",
        """
        WITH wanted AS MATERIALIZED (
            SELECT i.project_id, i.id
            FROM unnest($1, $2) AS w (project_id, id)
            JOIN issue i ON i.project_id = w.project_id AND (i.id = w.id OR i.merged_into = w.id)
            ORDER BY i.project_id, i.id
            FOR UPDATE OF i
        ),
        hashes AS (
            DELETE FROM grouping_hash h USING wanted w
            WHERE h.project_id = w.project_id AND h.issue_id = w.id
            RETURNING h.project_id, h.id
        ),
        queued AS (INSERT INTO deleted_hash (project_id, hash_id) SELECT project_id, id FROM hashes),
        activity AS (
            DELETE FROM issue_activity a USING wanted w WHERE a.project_id = w.project_id AND a.issue_id = w.id
        )
        DELETE FROM issue i USING wanted w WHERE i.project_id = w.project_id AND i.id = w.id
        """,
        [PostgresType.int8.array, PostgresType.int8.array]
    )

    static let activity = PostgresStatement(
        "issue",
        """
        SELECT id, kind, created_at, actor, data FROM issue_activity
        WHERE project_id = $1 AND issue_id = $2
        ORDER BY id DESC
        LIMIT 100
        """,
        [.int8, .int8]
    )

    static let series = PostgresStatement(
        "issue_series",
        """
        SELECT w.issue_id, n.hour, sum(n.events)::int8 AS events
        FROM unnest($1, $2) AS w (project_id, issue_id)
        JOIN grouping_hash h ON h.project_id = w.project_id AND h.issue_id = w.issue_id
        JOIN hash_hour n ON n.project_id = h.project_id AND n.hash_id = h.id
        WHERE n.hour >= $3 AND n.hour < $4 AND (cardinality($5) = 0 OR n.environment_id IN (
            SELECT v.id FROM environment v WHERE v.project_id = n.project_id AND v.name = ANY ($5)))
        GROUP BY 1, 2
        """,
        [PostgresType.int8.array, PostgresType.int8.array, .timestamptz, .timestamptz, PostgresType.text.array]
    )
}
