import WhorlPostgres

extension IssueQueries {
    /// The project and id of an issue.
    package typealias Place = (projectID: Int, id: Int)

    /// Returns the given ids that belong to visible issues of the projects.
    ///
    /// Issues that were merged into another one are left out.
    package func shown(_ ids: [Int], projectIDs: [Int]) async throws -> [Place] {
        try await pool.execute(IssueChangeStatements.shown, [.array(of: projectIDs), .array(of: ids)])
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

    /// Changes the status of issues as part of a transaction.
    package static func update(
        _ issues: [Place],
        status: IssueStatus,
        substatus: String?,
        actor: String?,
        on connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.execute(
            IssueChangeStatements.update,
            [
                .array(of: issues.map(\.projectID)), .array(of: issues.map(\.id)), status.rawValue.postgresValue,
                .optional(substatus), "set_\(status.name)".postgresValue, .optional(actor),
            ],
            deadline: deadline
        )
    }

    /// Deletes issues, all or none.
    ///
    /// Their events are removed in the background. The next event with the same hash creates a new issue.
    package func delete(_ issues: [Place]) async throws {
        _ = try await pool.execute(
            IssueChangeStatements.delete,
            [.array(of: issues.map(\.projectID)), .array(of: issues.map(\.id))],
            timeout: Self.timeout
        )
    }
}

enum IssueChangeStatements {
    static let all = [shown, update, delete]

    static let shown = PostgresStatement(
        "issue",
        """
        SELECT project_id, id FROM issue
        WHERE project_id = ANY ($1) AND id = ANY ($2) AND merged_into IS NULL
        ORDER BY project_id, id
        """,
        [PostgresType.int8.array, PostgresType.int8.array]
    )

    /// Locks the issues in the order of their keys first, like the statement that stores events.
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
}
