import WhorlPostgres

/// The settings of projects, as users change them; collectors detect a change by the configuration version.
extension Administration {
    /// The settings of a project.
    package func settings(projectID: Int) async throws -> ProjectSettings {
        let rows = try await pool.execute(ProjectSettingsStatements.read, [projectID.postgresValue])
        return ProjectSettings(text: try rows.first?.read("settings") ?? "{}")
    }

    /// Changes a project and its settings, all or nothing; concurrent changes run one after the other.
    package func updateProject(
        projectID: Int,
        slug: String?,
        name: String?,
        platform: String?,
        _ change: @Sendable (inout ProjectSettings) throws -> Void
    ) async throws {
        try Self.check(slug: slug, name: name, platform: platform)
        try await conflict("A project with that slug exists already") {
            try await pool.transaction("administration") { connection, deadline in
                try await updateSettings(projectID, change, connection, deadline)
                _ = try await connection.execute(
                    AdministrationStatements.updateProject,
                    [projectID.postgresValue, .optional(slug), .optional(name), .optional(platform)],
                    deadline: deadline
                )
            }
        }
    }

    private func updateSettings(
        _ projectID: Int,
        _ change: @Sendable (inout ProjectSettings) throws -> Void,
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws {
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

    /// Changes a key, all or nothing: nil leaves a value unchanged, and `.some(nil)` removes the limit.
    package func updateKey(
        projectID: Int,
        publicKey: String,
        isActive: Bool?,
        label: String?,
        limit: CountLimit??
    ) async throws {
        _ = try await pool.execute(
            ProjectSettingsStatements.key,
            [
                projectID.postgresValue, publicKey.postgresValue, .optional(isActive), .optional(label),
                (limit != nil).postgresValue, .optional(limit??.count),
                .optional((limit ?? nil).map { Int32(clamping: $0.seconds) }),
            ]
        )
    }
}

enum ProjectSettingsStatements {
    static let all = [read, lock, write, key]

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
    static let key = PostgresStatement(
        "administration",
        """
        UPDATE project_key SET is_active = coalesce($3, is_active), label = coalesce($4, label),
            rate_limit_count = CASE WHEN $5 THEN $6 ELSE rate_limit_count END,
            rate_limit_seconds = CASE WHEN $5 THEN $7 ELSE rate_limit_seconds END
        WHERE project_id = $1 AND public_key = $2
        """,
        [.int8, .text, .bool, .text, .bool, .int8, .int4]
    )
}
