import WhorlPostgres

/// Queries for the application metrics at start: the existing label values, so that their counters start at zero.
package struct MetricsQueries: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The projects and their environments, newest projects first; at most `limit` pairs.
    package func pairs(limit: Int) async throws -> [(organization: String, project: String, environment: String?)] {
        try await pool.execute(MetricsStatements.pairs, [limit.postgresValue])
            .map { row in
                (try row.read("organization"), try row.read("project"), try row.readOptional("environment"))
            }
    }
}

enum MetricsStatements {
    static let all = [pairs]

    static let pairs = PostgresStatement(
        "metrics",
        """
        SELECT o.slug AS organization, p.slug AS project, e.name AS environment
        FROM project p
        JOIN organization o ON o.id = p.organization_id
        LEFT JOIN environment e ON e.project_id = p.id
        WHERE p.deleted_at IS NULL
        ORDER BY p.id DESC, e.id
        LIMIT $1
        """,
        [.int8]
    )
}
