import Foundation
import WhorlPostgres

/// Queries for the tags of an issue and the frequency of their values.
package struct TagQueries: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// One tag of an issue.
    package struct Key: Sendable {
        package let key: String
        package let events: Int
        package let values: Int
    }

    /// One value of a tag of an issue.
    package struct Value: Sendable {
        package let key: String
        package let value: String
        package let events: Int
        package let firstSeen: Date
        package let lastSeen: Date
    }

    /// The tags of an issue, by name.
    package func keys(projectID: Int, issueID: Int, environments: [String] = []) async throws -> [Key] {
        try await TagBacklog.countBacklog(pool)
        return
            try await pool.execute(
                TagStatements.keys,
                [projectID.postgresValue, issueID.postgresValue, .array(of: environments)]
            )
            .map { Key(key: try $0.read("key"), events: try $0.read("events"), values: try $0.read("tag_values")) }
    }

    /// The values of an issue's tags, most frequent first.
    ///
    /// `key` is nil for all tags; `limit` applies to each tag.
    package func values(
        projectID: Int,
        issueID: Int,
        key: String?,
        environments: [String] = [],
        limit: Int
    ) async throws -> [Value] {
        try await TagBacklog.countBacklog(pool)
        return
            try await pool.execute(
                TagStatements.values,
                [
                    projectID.postgresValue, issueID.postgresValue, .optional(key), .array(of: environments),
                    limit.postgresValue,
                ]
            )
            .map { row in
                Value(
                    key: try row.read("key"),
                    value: try row.read("value"),
                    events: try row.read("events"),
                    firstSeen: try row.read("first_seen"),
                    lastSeen: try row.read("last_seen")
                )
            }
    }
}

enum TagStatements {
    static let all = [keys, values]

    static let keys = PostgresStatement(
        "issue_tags",
        """
        SELECT t.key, sum(t.events)::int8 AS events, count(DISTINCT t.value) AS tag_values
        FROM grouping_hash h
        JOIN hash_tag t ON t.project_id = h.project_id AND t.hash_id = h.id
        WHERE h.project_id = $1 AND h.issue_id = $2 AND (cardinality($3) = 0 OR t.environment_id IN (
            SELECT v.id FROM environment v WHERE v.project_id = $1 AND v.name = ANY ($3)))
        GROUP BY t.key
        ORDER BY t.key
        """,
        [.int8, .int8, PostgresType.text.array]
    )

    static let values = PostgresStatement(
        "issue_tags",
        """
        SELECT key, value, events, first_seen, last_seen
        FROM (
            SELECT t.key, t.value, sum(t.events)::int8 AS events, min(t.first_seen) AS first_seen,
                max(t.last_seen) AS last_seen,
                row_number() OVER (PARTITION BY t.key ORDER BY sum(t.events) DESC, t.value) AS place
            FROM grouping_hash h
            JOIN hash_tag t ON t.project_id = h.project_id AND t.hash_id = h.id
            WHERE h.project_id = $1 AND h.issue_id = $2 AND ($3::text IS NULL OR t.key = $3)
                AND (cardinality($4) = 0 OR t.environment_id IN (
                    SELECT v.id FROM environment v WHERE v.project_id = $1 AND v.name = ANY ($4)))
            GROUP BY t.key, t.value
        ) AS counted
        WHERE place <= $5
        ORDER BY key, place
        """,
        [.int8, .int8, .text, PostgresType.text.array, .int8]
    )
}
