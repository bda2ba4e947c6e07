import Foundation
import WhorlProtocol
import WhorlStore

/// An organization in the format of Sentry.
enum OrganizationShape {
    static func json(_ organization: Organization) -> JSON {
        [
            "id": .string(String(organization.id)), "slug": .string(organization.slug),
            "name": .string(organization.name), "dateCreated": .string(Timestamp.format(organization.createdAt)),
            "status": ["id": "active", "name": "active"], "avatar": ["avatarType": "letter_avatar", "avatarUuid": nil],
            "isEarlyAdopter": false, "require2FA": false, "requireEmailVerification": false, "features": [],
        ]
    }
}

/// A project in the format of Sentry.
enum ProjectShape {
    static func json(_ project: Project) -> JSON { .object(members(project)) }

    static func detail(_ project: Project, _ organization: Organization, _ settings: ProjectSettings) -> JSON {
        .object(
            members(project) + [("organization", OrganizationShape.json(organization))]
                + ProjectOptions.members(settings)
        )
    }

    private static func members(_ project: Project) -> [(key: String, value: JSON)] {
        [
            ("id", .string(String(project.id))), ("slug", .string(project.slug)), ("name", .string(project.name)),
            ("platform", .optional(project.platform)), ("dateCreated", .string(Timestamp.format(project.createdAt))),
            ("isBookmarked", false), ("isMember", true), ("hasAccess", true), ("features", []), ("access", []),
            ("team", nil), ("teams", []), ("status", "active"), ("firstEvent", nil), ("firstTransactionEvent", false),
            ("platforms", project.platform.map { [.string($0)] } ?? []), ("latestRelease", nil),
        ]
    }

    /// Derives a slug from a name.
    static func slug(_ name: String) -> String { Slug.derived(from: name) }
}

/// A project's key in the format of Sentry.
enum KeyShape {
    static func json(_ key: ProjectKey, publicURL: String) -> JSON {
        let parts = publicURL.split(separator: "://", maxSplits: 1).map(String.init)
        let scheme = parts.first ?? "http"
        let host = parts.count > 1 ? parts[1] : publicURL
        let dsn = "\(scheme)://\(key.publicKey)@\(host)/\(key.projectID)"
        let base = "\(publicURL)/api/\(key.projectID)"
        return [
            "id": .string(key.publicKey), "name": .string(key.label), "label": .string(key.label),
            "public": .string(key.publicKey), "secret": nil, "projectId": .int(key.projectID),
            "isActive": .bool(key.isActive),
            "rateLimit": key.limit.map { ["count": .int($0.count), "window": .int($0.seconds)] } ?? nil,
            "dsn": [
                "public": .string(dsn), "secret": .string(dsn),
                "csp": .string("\(base)/csp-report/?sentry_key=\(key.publicKey)"),
                "security": .string("\(base)/security/?sentry_key=\(key.publicKey)"),
                "minidump": .string("\(base)/minidump/?sentry_key=\(key.publicKey)"),
                "unreal": .string("\(base)/unreal/\(key.publicKey)/"),
                "crons": .string("\(base)/cron/___MONITOR_SLUG___/\(key.publicKey)/"), "cdn": nil,
                "nel": .string("\(base)/nel/?sentry_key=\(key.publicKey)"),
            ],
            "dateCreated": .string(Timestamp.format(key.createdAt)),
        ]
    }
}
