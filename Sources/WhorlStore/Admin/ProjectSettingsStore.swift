import WhorlPostgres

/// The settings of projects as people change them; collectors notice by the number of the configuration.
extension Administration {
    /// The settings of a project.
    package func settings(projectID: Int) async throws -> ProjectSettings {
        let rows = try await pool.execute(ProjectSettingsStatements.read, [projectID.postgresValue])
        return ProjectSettings(text: try rows.first?.read("settings") ?? "{}")
    }

    /// Changes the settings of a project; two changes at once come one after the other.
    package func updateSettings(
        projectID: Int,
        _ change: @Sendable (inout ProjectSettings) throws -> Void
    ) async throws {
        try await pool.transaction("administration") { connection, deadline in
            let rows = try await connection.execute(
                ProjectSettingsStatements.lock,
                [projectID.postgresValue],
                deadline: deadline
            )
            var settings = ProjectSettings(text: try rows.first?.read("settings") ?? "{}")
            let before = settings
            try change(&settings)
            guard settings != before else { return }
            _ = try await connection.execute(
                ProjectSettingsStatements.write,
                [projectID.postgresValue, settings.text.postgresValue],
                deadline: deadline
            )
        }
    }

    /// Sets, or with nil removes, the limit of a key.
    package func setLimit(_ limit: CountLimit?, projectID: Int, publicKey: String) async throws {
        _ = try await pool.execute(
            ProjectSettingsStatements.limit,
            [
                projectID.postgresValue, publicKey.postgresValue, .optional(limit?.count),
                .optional(limit.map { Int32(clamping: $0.seconds) }),
            ]
        )
    }
}

enum ProjectSettingsStatements {
    static let all = [read, lock, write, limit]

    static let read = PostgresStatement("projects", "SELECT settings FROM project WHERE id = $1", [.int8])
    static let lock = PostgresStatement(
        "administration",
        "SELECT settings FROM project WHERE id = $1 FOR UPDATE",
        [.int8]
    )
    static let write = PostgresStatement(
        "administration",
        "UPDATE project SET settings = $2 WHERE id = $1",
        [.int8, .text]
    )
    static let limit = PostgresStatement(
        "administration",
        """
        UPDATE project_key SET rate_limit_count = $3, rate_limit_seconds = $4
        WHERE project_id = $1 AND public_key = $2
        """,
        [.int8, .text, .int8, .int4]
    )
}
