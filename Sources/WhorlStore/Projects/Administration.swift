import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol

/// Manages organizations, projects, keys and tokens, which people create and change rarely.
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

    /// Finds or creates the organization; two collectors may do this at the same time.
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

    /// Creates a project and its first key.
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
                    KeyAdministrationStatements.createKey,
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
            throw AdministrationError.invalid("name must have 1 to 200 bytes")
        }
        if let platform, platform.utf8.count > 64 {
            throw AdministrationError.invalid("platform must have at most 64 bytes")
        }
    }

    /// Hides a project and disables its keys; retention removes its rows.
    package func deleteProject(id: Int) async throws {
        _ = try await pool.execute(AdministrationStatements.deleteProject, [id.postgresValue])
    }

    static func randomHex(_ bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return hexString((0..<bytes).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    // MARK: - Rows
    static func organization(_ row: PostgresRow) throws -> Organization {
        Organization(
            id: try row.read("id"),
            slug: try row.read("slug"),
            name: try row.read("name"),
            createdAt: try row.read("created_at")
        )
    }

    static func project(_ row: PostgresRow) throws -> Project {
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

    static func badSlug(_ slug: String) -> AdministrationError {
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
        deleteProject,
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

    // Appends the id to the slug, so that a new project can use the slug.
    static let deleteProject = PostgresStatement(
        "administration",
        """
        WITH keys AS (UPDATE project_key SET is_active = false WHERE project_id = $1)
        UPDATE project SET deleted_at = now(), slug = slug || '~' || id WHERE id = $1 AND deleted_at IS NULL
        """,
        [.int8]
    )
}
