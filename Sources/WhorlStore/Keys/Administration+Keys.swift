import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol

extension Administration {
    // MARK: - Keys
    package func keys(projectID: Int) async throws -> [ProjectKey] {
        try await pool.execute(KeyAdministrationStatements.keys, [projectID.postgresValue]).map(Self.key)
    }

    package func createKey(projectID: Int, label: String, publicKey: String? = nil) async throws -> ProjectKey {
        let publicKey = publicKey ?? Self.newPublicKey()
        try await conflict("The key exists already") {
            _ = try await pool.execute(
                KeyAdministrationStatements.createKey,
                [projectID.postgresValue, publicKey.postgresValue, label.postgresValue]
            )
        }
        guard let key = try await keys(projectID: projectID).first(where: { $0.publicKey == publicKey }) else {
            throw AdministrationError.notFound("The key does not exist")
        }
        return key
    }

    /// Enables or disables a key, or changes its label.
    package func updateKey(projectID: Int, publicKey: String, isActive: Bool?, label: String?) async throws -> Bool {
        try await pool
            .execute(
                KeyAdministrationStatements.updateKey,
                [projectID.postgresValue, publicKey.postgresValue, .optional(isActive), .optional(label)]
            )
            .affected > 0
    }

    package func deleteKey(projectID: Int, publicKey: String) async throws -> Bool {
        try await pool
            .execute(
                KeyAdministrationStatements.deleteKey,
                [projectID.postgresValue, publicKey.postgresValue]
            )
            .affected > 0
    }

    /// The id of the project that uses a public key; nil when no project does.
    package func ownerOfKey(_ publicKey: String) async throws -> Int? {
        try await pool.execute(KeyAdministrationStatements.keyOwner, [publicKey.postgresValue])
            .first?
            .read("project_id")
    }

    /// Whether a public key was deleted before.
    package func isRetired(_ publicKey: String) async throws -> Bool {
        try await pool.execute(KeyAdministrationStatements.isRetired, [publicKey.postgresValue]).first != nil
    }

    // MARK: - Secrets
    /// 32 lower-case hexadecimal digits from the system's random source.
    package static func newPublicKey() -> String { randomHex(16) }

    static func key(_ row: PostgresRow) throws -> ProjectKey {
        ProjectKey(
            id: try row.read("id"),
            projectID: try row.read("project_id"),
            publicKey: try row.read("public_key"),
            label: try row.read("label"),
            isActive: try row.read("is_active"),
            createdAt: try row.read("created_at"),
            limit: try limit(row)
        )
    }

    static func limit(_ row: PostgresRow) throws -> CountLimit? {
        guard let count: Int = try row.readOptional("rate_limit_count"),
            let seconds: Int = try row.readOptional("rate_limit_seconds")
        else { return nil }
        return CountLimit(count: count, seconds: seconds)
    }
}

enum KeyAdministrationStatements {
    static let all = [keys, createKey, updateKey, deleteKey, isRetired, keyOwner]

    static let keys = PostgresStatement(
        "keys",
        """
        SELECT id, project_id, public_key, label, is_active, created_at, rate_limit_count,
            rate_limit_seconds::int8 AS rate_limit_seconds
        FROM project_key
        WHERE project_id = $1
        ORDER BY id
        """,
        [.int8]
    )

    static let createKey = PostgresStatement(
        "administration",
        "INSERT INTO project_key (project_id, public_key, label) VALUES ($1, $2, $3)",
        [.int8, .text, .text]
    )

    static let updateKey = PostgresStatement(
        "administration",
        """
        UPDATE project_key SET is_active = coalesce($3, is_active), label = coalesce($4, label)
        WHERE project_id = $1 AND public_key = $2
        """,
        [.int8, .text, .bool, .text]
    )

    static let deleteKey = PostgresStatement(
        "administration",
        """
        WITH gone AS (DELETE FROM project_key WHERE project_id = $1 AND public_key = $2 RETURNING public_key)
        INSERT INTO retired_key (public_key) SELECT public_key FROM gone ON CONFLICT DO NOTHING
        """,
        [.int8, .text]
    )

    static let isRetired = PostgresStatement(
        "keys",
        "SELECT 1 AS one FROM retired_key WHERE public_key = $1",
        [.text]
    )

    static let keyOwner = PostgresStatement(
        "keys",
        "SELECT project_id FROM project_key WHERE public_key = $1",
        [.text]
    )
}
