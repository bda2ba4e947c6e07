import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol

/// Organizations, projects, keys and tokens: made and changed by people, rarely.
package struct Administration: Sendable {
    let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    // MARK: - Organizations

    /// The organizations that a token may see.
    package func organizations(visibleTo organizationID: Int?) async throws -> [Organization] {
        try await pool.execute(AdministrationStatements.organizations, [.optional(organizationID)])
            .map(Self.organization)
    }

    package func organization(slug: String) async throws -> Organization? {
        try await pool.execute(AdministrationStatements.organizationBySlug, [slug.postgresValue])
            .first.map(Self.organization)
    }

    /// Finds the organization, or makes it; two collectors may do it at once.
    package func ensureOrganization(slug: String, name: String? = nil) async throws -> Organization {
        guard Slug.isValid(slug) else { throw Self.badSlug(slug) }
        _ = try await pool.execute(
            AdministrationStatements.createOrganization,
            [slug.postgresValue, (name ?? slug).postgresValue]
        )
        guard let organization = try await organization(slug: slug) else {
            throw AdministrationError.notFound("The organization \(slug) does not exist")
        }
        return organization
    }

    // MARK: - Projects

    package func projects(organizationID: Int?) async throws -> [Project] {
        try await pool.execute(AdministrationStatements.projects, [.optional(organizationID)]).map(Self.project)
    }

    /// A project by its slug, or by its id, within an organization.
    package func project(_ slugOrID: String, organizationID: Int) async throws -> Project? {
        try await pool.execute(
            AdministrationStatements.projectBySlug,
            [organizationID.postgresValue, slugOrID.postgresValue, .optional(Int(slugOrID))]
        )
        .first.map(Self.project)
    }

    /// Makes a project and its first key.
    package func createProject(
        slug: String,
        name: String?,
        platform: String?,
        organizationID: Int,
        publicKey: String? = nil
    ) async throws -> (project: Project, key: ProjectKey) {
        try Self.check(slug: slug, name: name, platform: platform)
        let publicKey = publicKey ?? Self.newPublicKey()
        try await conflict("A project with the slug \(slug) exists already") {
            try await pool.transaction("administration") { connection, deadline in
                let rows = try await connection.execute(
                    AdministrationStatements.createProject,
                    [
                        organizationID.postgresValue, slug.postgresValue, (name ?? slug).postgresValue,
                        .optional(platform),
                    ],
                    deadline: deadline
                )
                guard let id = try rows.first?.read("id", as: Int.self) else { return }
                _ = try await connection.execute(
                    AdministrationStatements.createKey,
                    [id.postgresValue, publicKey.postgresValue, "Default".postgresValue],
                    deadline: deadline
                )
            }
        }
        guard let project = try await project(slug, organizationID: organizationID),
            let key = try await keys(projectID: project.id).first
        else { throw AdministrationError.notFound("The project \(slug) does not exist") }
        return (project, key)
    }

    static func check(slug: String?, name: String?, platform: String?) throws {
        if let slug, !Slug.isValid(slug) { throw badSlug(slug) }
        if let name, !(1...200).contains(name.utf8.count) {
            throw AdministrationError.invalid("name has 1 to 200 bytes")
        }
        if let platform, platform.utf8.count > 64 { throw AdministrationError.invalid("platform has at most 64 bytes") }
    }

    /// Takes a project out of sight and its keys out of use; its rows are removed by retention.
    package func deleteProject(id: Int) async throws {
        _ = try await pool.execute(AdministrationStatements.deleteProject, [id.postgresValue])
    }

    // MARK: - Keys

    package func keys(projectID: Int) async throws -> [ProjectKey] {
        try await pool.execute(AdministrationStatements.keys, [projectID.postgresValue]).map(Self.key)
    }

    package func createKey(projectID: Int, label: String, publicKey: String? = nil) async throws -> ProjectKey {
        let publicKey = publicKey ?? Self.newPublicKey()
        try await conflict("The key exists already") {
            _ = try await pool.execute(
                AdministrationStatements.createKey,
                [projectID.postgresValue, publicKey.postgresValue, label.postgresValue]
            )
        }
        guard let key = try await keys(projectID: projectID).first(where: { $0.publicKey == publicKey }) else {
            throw AdministrationError.notFound("The key does not exist")
        }
        return key
    }

    /// Switches a key on or off, or gives it another label.
    package func updateKey(projectID: Int, publicKey: String, isActive: Bool?, label: String?) async throws -> Bool {
        try await pool
            .execute(
                AdministrationStatements.updateKey,
                [projectID.postgresValue, publicKey.postgresValue, .optional(isActive), .optional(label)]
            )
            .affected > 0
    }

    package func deleteKey(projectID: Int, publicKey: String) async throws -> Bool {
        try await pool
            .execute(
                AdministrationStatements.deleteKey,
                [projectID.postgresValue, publicKey.postgresValue]
            )
            .affected > 0
    }

    /// Whether a public key is in use, by any project.
    package func ownerOfKey(_ publicKey: String) async throws -> Int? {
        try await pool.execute(AdministrationStatements.keyOwner, [publicKey.postgresValue])
            .first?
            .read("project_id")
    }

    // MARK: - Tokens

    /// Makes a token and returns it; only its hash is kept.
    ///
    /// A token that exists, or was revoked, stays as it is.
    package func createToken(
        organizationID: Int?,
        name: String,
        scopes: [String],
        maker: String,
        expiresAt: Date? = nil,
        token: String? = nil
    ) async throws -> String {
        guard (1...200).contains(name.utf8.count) else {
            throw AdministrationError.invalid("the name of a token has 1 to 200 bytes")
        }
        for scope in scopes where !TokenGrant.allScopes.contains(scope) {
            throw AdministrationError.invalid(
                "unknown scope \(scope); known are \(TokenGrant.allScopes.joined(separator: ", "))"
            )
        }
        let token = token ?? Self.newToken()
        _ = try await pool.execute(
            AdministrationStatements.createToken,
            [
                .optional(organizationID), name.postgresValue, Digest.sha256(token).postgresValue, .array(of: scopes),
                maker.postgresValue, .optional(expiresAt),
            ]
        )
        return token
    }

    /// All tokens, the oldest first, revoked ones included.
    package func tokens() async throws -> [TokenInfo] {
        try await pool.execute(AdministrationStatements.tokens).map(TokenInfo.init)
    }

    /// Revokes a token; false when there is none of that id, or it is revoked already.
    package func revokeToken(id: Int) async throws -> Bool {
        try await pool.execute(AdministrationStatements.revokeToken, [id.postgresValue]).affected > 0
    }

    /// Whether a public key was deleted before.
    package func isRetired(_ publicKey: String) async throws -> Bool {
        try await pool.execute(AdministrationStatements.isRetired, [publicKey.postgresValue]).first != nil
    }

    package func token(_ token: String) async throws -> TokenGrant? {
        guard
            let row =
                try await pool.execute(
                    AdministrationStatements.tokenByHash,
                    [Digest.sha256(token).postgresValue]
                )
                .first
        else { return nil }
        if try row.read("is_unused_for_a_minute") {
            _ = try await pool.execute(
                AdministrationStatements.useToken,
                [try row.read("id", as: Int.self).postgresValue]
            )
        }
        return TokenGrant(
            id: try row.read("id"),
            organizationID: try row.readOptional("organization_id"),
            scopes: Set(try row.readArray("scopes", of: String.self))
        )
    }

    // MARK: - Secrets

    /// 32 lower-case hexadecimal digits from the system's random source.
    package static func newPublicKey() -> String { randomHex(16) }

    /// 64 lower-case hexadecimal digits from the system's random source.
    package static func newToken() -> String { randomHex(32) }

    private static func randomHex(_ bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return hexString((0..<bytes).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    // MARK: - Rows

    private static func organization(_ row: PostgresRow) throws -> Organization {
        Organization(
            id: try row.read("id"),
            slug: try row.read("slug"),
            name: try row.read("name"),
            createdAt: try row.read("created_at")
        )
    }

    private static func project(_ row: PostgresRow) throws -> Project {
        Project(
            id: try row.read("id"),
            slug: try row.read("slug"),
            name: try row.read("name"),
            platform: try row.readOptional("platform"),
            createdAt: try row.read("created_at"),
            organizationID: try row.read("organization_id"),
            organizationSlug: try row.read("organization_slug")
        )
    }

    private static func key(_ row: PostgresRow) throws -> ProjectKey {
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

    private static func limit(_ row: PostgresRow) throws -> CountLimit? {
        guard let count: Int = try row.readOptional("rate_limit_count"),
            let seconds: Int = try row.readOptional("rate_limit_seconds")
        else { return nil }
        return CountLimit(count: count, seconds: seconds)
    }

    private static func badSlug(_ slug: String) -> AdministrationError {
        .invalid(
            "the slug \"\(slug.prefix(60))\" is not allowed: use 1 to 50 lower-case letters, digits, '-' and '_', "
                + "not only digits"
        )
    }

    func conflict(_ message: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as PostgresError where error.sqlState == "23505" {
            throw AdministrationError.conflict(message)
        }
    }
}

enum AdministrationStatements {
    static let all = [
        organizations, organizationBySlug, createOrganization, projects, projectBySlug, createProject, updateProject,
        deleteProject, keys, createKey, updateKey, deleteKey, keyOwner, isRetired, createToken, tokenByHash, useToken,
        tokens, revokeToken,
    ]

    static let organizations = PostgresStatement(
        "organizations",
        "SELECT id, slug, name, created_at FROM organization WHERE $1::int8 IS NULL OR id = $1 ORDER BY slug",
        [.int8]
    )

    static let organizationBySlug = PostgresStatement(
        "organizations",
        "SELECT id, slug, name, created_at FROM organization WHERE slug = $1",
        [.text]
    )

    static let createOrganization = PostgresStatement(
        "administration",
        "INSERT INTO organization (slug, name) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING",
        [.text, .text]
    )

    private static let projectColumns = """
        SELECT p.id, p.slug, p.name, p.platform, p.created_at, p.organization_id, o.slug AS organization_slug
        FROM project p
        JOIN organization o ON o.id = p.organization_id
        """

    static let projects = PostgresStatement(
        "projects",
        projectColumns
            + " WHERE p.deleted_at IS NULL AND ($1::int8 IS NULL OR p.organization_id = $1) ORDER BY o.slug, p.slug",
        [.int8]
    )

    static let projectBySlug = PostgresStatement(
        "projects",
        projectColumns + " WHERE p.deleted_at IS NULL AND p.organization_id = $1 AND (p.slug = $2 OR p.id = $3)",
        [.int8, .text, .int8]
    )

    static let createProject = PostgresStatement(
        "administration",
        """
        WITH made AS (
            INSERT INTO project (organization_id, slug, name, platform) VALUES ($1, $2, $3, $4) RETURNING id
        ),
        counter AS (INSERT INTO project_counter (project_id) SELECT id FROM made)
        SELECT id FROM made
        """,
        [.int8, .text, .text, .text]
    )

    static let updateProject = PostgresStatement(
        "administration",
        """
        UPDATE project SET slug = coalesce($2, slug), name = coalesce($3, name), platform = coalesce($4, platform)
        WHERE id = $1
        """,
        [.int8, .text, .text, .text]
    )

    // The slug becomes free for a new project; the id keeps the old one apart.
    static let deleteProject = PostgresStatement(
        "administration",
        """
        WITH keys AS (UPDATE project_key SET is_active = false WHERE project_id = $1)
        UPDATE project SET deleted_at = now(), slug = slug || '~' || id WHERE id = $1 AND deleted_at IS NULL
        """,
        [.int8]
    )

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

    static let createToken = PostgresStatement(
        "administration",
        """
        INSERT INTO api_token (organization_id, name, token_hash, scopes, maker, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (token_hash) DO NOTHING
        """,
        [.int8, .text, .bytea, PostgresType.text.array, .text, .timestamptz]
    )

    static let tokenByHash = PostgresStatement(
        "tokens",
        """
        SELECT id, organization_id, scopes,
            coalesce(last_used_at < now() - interval '1 minute', true) AS is_unused_for_a_minute
        FROM api_token
        WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > now()) AND revoked_at IS NULL
        """,
        [.bytea]
    )

    static let useToken = PostgresStatement(
        "tokens",
        "UPDATE api_token SET last_used_at = now() WHERE id = $1",
        [.int8]
    )

    static let tokens = PostgresStatement(
        "administration",
        """
        SELECT t.id, o.slug AS organization, t.name, t.scopes, t.maker, t.created_at, t.expires_at, t.last_used_at,
            t.revoked_at
        FROM api_token t
        LEFT JOIN organization o ON o.id = t.organization_id
        ORDER BY t.id
        """
    )

    static let revokeToken = PostgresStatement(
        "administration",
        "UPDATE api_token SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL",
        [.int8]
    )
}
