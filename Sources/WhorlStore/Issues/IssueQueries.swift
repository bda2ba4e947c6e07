import Foundation
import WhorlPostgres

/// Queries for issues: lists, single issues, statistics over time, and status changes.
package struct IssueQueries: Sendable {
    let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The sort order of a list, always descending.
    package enum Order: String, Sendable {
        case date
        case new
        case freq
        case user
    }

    /// The parameters of a list query.
    package struct Request: Sendable {
        package var projectIDs: [Int]
        package var query: SearchQuery
        package var order: Order = .date
        /// The environments whose events are listed; empty means all.
        package var environments: [String] = []
        /// Lists only issues with an event at or after this time.
        package var from: Date?
        package var to: Date?
        package var cursor: Cursor?
        package var limit = 100

        package init(projectIDs: [Int], query: SearchQuery) {
            self.projectIDs = projectIDs
            self.query = query
        }
    }

    /// The time limit of a list query, so that a slow query fails instead of slowing down the database for everybody.
    static let timeout = Duration.seconds(10)

    /// One page of issues.
    package func list(_ request: Request, now: Date = Date()) async throws -> Page<Issue> {
        let search = try IssueSearch(request.query, now: now)
        let sort: SQLFragment =
            switch request.order {
            case .date: "(extract(epoch FROM s.last_seen) * 1000000)::int8"
            case .new: "(extract(epoch FROM s.first_seen) * 1000000)::int8"
            case .freq: "s.events"
            case .user: "s.users"
            }
        // Sorting by the bucket first gives the same order and lets Postgres read the list from its index.
        let usesBuckets = request.order == .date && request.environments.isEmpty && search.environments.isEmpty
        let backwards = request.cursor?.isPrevious ?? false
        var after: SQLFragment = ""
        if let cursor = request.cursor {
            if usesBuckets {
                let moment = Date(timeIntervalSince1970: Double(cursor.value) / 1e6)
                let bucket: SQLFragment = "date_bin('5 minutes', \(moment), timestamptz '2000-01-01 00:00:00Z')"
                after +=
                    backwards ? " AND i.last_seen_bucket >= \(bucket)" : " AND i.last_seen_bucket <= \(bucket)"
            }
            after +=
                backwards
                ? " AND (\(sort), i.id) > (\(cursor.value), \(cursor.id))"
                : " AND (\(sort), i.id) < (\(cursor.value), \(cursor.id))"
        }
        let direction: SQLFragment = backwards ? "ASC" : "DESC"
        let bucket: SQLFragment = usesBuckets ? "i.last_seen_bucket \(direction), " : ""
        let issues =
            try await pool.execute(
                """
                \(select(request, search))\(after)
                ORDER BY \(bucket)\(sort) \(direction), i.id \(direction)
                LIMIT \(request.limit + 1)
                """,
                operation: "issue_list",
                timeout: Self.timeout
            )
            .map(Issue.init)
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

    /// The ids of the issues that match a request, for bulk updates; at most `limit`.
    package func ids(_ request: Request, limit: Int) async throws -> [(projectID: Int, id: Int)] {
        let search = try IssueSearch(request.query, now: Date())
        return
            try await pool.execute(
                "\(select(request, search)) ORDER BY i.id LIMIT \(limit)",
                operation: "issue_list",
                timeout: Self.timeout
            )
            .map { (try $0.read("project_id"), try $0.read("id")) }
    }

    private func select(_ request: Request, _ search: IssueSearch) -> SQLFragment {
        var conditions: SQLFragment = "i.merged_into IS NULL\(search.issue)"
        if let only = request.projectIDs.first, request.projectIDs.count == 1 {
            conditions += " AND i.project_id = \(only)"
        } else {
            conditions += " AND i.project_id = ANY (\(.array(of: request.projectIDs)))"
        }
        if let from = request.from { conditions += " AND s.last_seen >= \(from)" }
        if let to = request.to { conditions += " AND s.first_seen <= \(to)" }
        if !search.event.isEmpty {
            var event = search.event
            if !request.environments.isEmpty {
                event += " AND v.name = ANY (\(.array(of: request.environments)))"
            }
            conditions += """
                 AND EXISTS (
                    SELECT FROM event e
                    JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                    JOIN environment v ON v.project_id = e.project_id AND v.id = e.environment_id
                    LEFT JOIN release r ON r.project_id = e.project_id AND r.id = e.release_id
                    WHERE h.project_id = i.project_id AND h.issue_id = i.id\(event))
                """
        }
        let environments = request.environments + search.environments.filter { !$0.contains("*") && !$0.isEmpty }
        return """
            SELECT \(IssueColumns.list)
            \(IssueColumns.tables)
            JOIN LATERAL (
            \(environments.isEmpty ? IssueColumns.totals : IssueColumns.totals(of: environments))
            ) AS s ON s.events > 0
            WHERE \(conditions)
            """
    }

    /// An issue, if it belongs to one of the projects that the requester may see.
    ///
    /// `organizationID` is nil for a token of the whole installation.
    package func issue(id: Int, organizationID: Int?) async throws -> Issue? {
        try await pool.execute(IssueStatements.byID, [id.postgresValue, .optional(organizationID)])
            .first.map(Issue.init)
    }

    /// The issue with a short id such as `WEB-2A` in an organization.
    package func issue(shortID: ShortID, organizationID: Int) async throws -> Issue? {
        try await pool.execute(
            IssueStatements.byShortID,
            [organizationID.postgresValue, shortID.project.postgresValue, shortID.number.postgresValue]
        )
        .first.map(Issue.init)
    }

    /// The activity log of an issue, newest first.
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

    /// The number of events of an issue that were stored without payload because of a flood.
    package func eventsWithoutPayload(projectID: Int, id: Int) async throws -> Int {
        try await pool.execute(IssueStatements.eventsWithoutPayload, [projectID.postgresValue, id.postgresValue])
            .first?
            .read("events") ?? 0
    }
}

enum IssueStatements {
    static let all = [byID, byShortID, activity, eventsWithoutPayload]

    private static let select = """
        SELECT \(IssueColumns.list.sql)
        \(IssueColumns.tables.sql)
        JOIN LATERAL (\(IssueColumns.totals.sql)) AS s ON true

        """

    static let byID = PostgresStatement(
        "issue",
        select
            + """
            WHERE p.deleted_at IS NULL
                AND i.project_id IN (SELECT id FROM project WHERE $2::int8 IS NULL OR organization_id = $2)
                AND i.id = coalesce(
                    (SELECT m.merged_into FROM issue m WHERE m.id = $1 AND m.project_id IN (
                        SELECT id FROM project WHERE $2::int8 IS NULL OR organization_id = $2)), $1)
            """,
        [.int8, .int8]
    )

    static let eventsWithoutPayload = PostgresStatement(
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
            WHERE p.deleted_at IS NULL AND p.organization_id = $1 AND p.slug = $2 AND i.id = (
                SELECT coalesce(m.merged_into, m.id) FROM issue m WHERE m.project_id = p.id AND m.short_id = $3)
            """,
        [.int8, .text, .int8]
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
}
