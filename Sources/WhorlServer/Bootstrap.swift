import Foundation
import Logging
import WhorlPostgres
import WhorlStore

/// Creates the initial data of an installation: an organisation, a project, a key, a token.
struct Bootstrap: Sendable {
    /// The created objects, for the block that the first start prints.
    struct FirstStart: Sendable {
        let organization: String
        let project: Project
        let publicKey: String
        let token: String
    }

    /// The advisory lock of starting collectors; its number is two more than that of migrations.
    private static let lock = 0x77_686F_726E

    let pool: PostgresPool
    let settings: BootstrapSettings
    let logger: Logger

    /// Creates what is missing.
    ///
    /// Returns the created objects if nothing was configured and the database had no project yet.
    func run() async throws -> FirstStart? {
        try await pool.transaction("bootstrap", timeout: .seconds(30)) { connection, deadline in
            // Only one collector at a time holds the lock; the work itself runs, and commits, on other connections.
            try await connection.script("SELECT pg_advisory_xact_lock(\(Self.lock))", deadline: deadline)
            let administration = Administration(pool: pool)
            return settings.isSet ? try await configured(administration) : try await defaults(administration)
        }
    }

    private func defaults(_ administration: Administration) async throws -> FirstStart? {
        guard try await administration.projects(organizationID: nil).isEmpty else { return nil }
        let organization = try await administration.ensureOrganization(slug: "default", name: "Default")
        let (project, key) = try await administration.createProject(
            slug: "default",
            name: "Default",
            platform: nil,
            organizationID: organization.id
        )
        let token = try await administration.createToken(
            organizationID: organization.id,
            name: "first start",
            scopes: TokenGrant.allScopes,
            maker: "first start"
        )
        return FirstStart(
            organization: organization.slug,
            project: project,
            publicKey: key.publicKey,
            token: token
        )
    }

    private func configured(_ administration: Administration) async throws -> FirstStart? {
        let organization = try await administration.ensureOrganization(slug: settings.organization ?? "default")
        let slug = settings.project ?? "default"
        var project = try await administration.project(slug, organizationID: organization.id)
        // If the key exists or was deleted, the bootstrap is already done, and later changes by users are kept: they
        // may have renamed or deleted the project, or deleted the key.
        var mayMakeKey = settings.key == nil
        if let key = settings.key {
            let owner = try await administration.ownerOfKey(key)
            let isRetired = try await administration.isRetired(key)
            mayMakeKey = owner == nil && !isRetired
            if !mayMakeKey, owner != project?.id || project == nil {
                logger.warning(
                    "the bootstrap key is not of the bootstrap project: it was renamed or deleted; nothing is made",
                    metadata: ["project.slug": "\(slug)"]
                )
            }
        }
        if project == nil, mayMakeKey {
            project =
                try await administration.createProject(
                    slug: slug,
                    name: nil,
                    platform: nil,
                    organizationID: organization.id,
                    publicKey: settings.key
                )
                .project
        }
        if mayMakeKey, let key = settings.key, let project, try await administration.ownerOfKey(key) == nil {
            _ = try await administration.createKey(projectID: project.id, label: "Bootstrap", publicKey: key)
        }
        if let token = settings.token {
            _ = try await administration.createToken(
                organizationID: organization.id,
                name: "bootstrap",
                scopes: TokenGrant.allScopes,
                maker: "bootstrap",
                token: token
            )
        }
        return nil
    }
}
