import Foundation
import WhorlPostgres

/// The description of an API token; the token itself is not stored.
package struct TokenInfo: Sendable {
    package let id: Int
    /// The slug of its organization; nil for a token of the installation.
    package let organization: String?
    package let name: String
    package let scopes: [String]
    /// The user or program that created it.
    package let maker: String
    package let createdAt: Date
    package let expiresAt: Date?
    /// Accurate to the minute.
    package let lastUsedAt: Date?
    package let revokedAt: Date?

    init(_ row: PostgresRow) throws {
        id = try row.read("id")
        organization = try row.readOptional("organization")
        name = try row.read("name")
        scopes = try row.readArray("scopes")
        maker = try row.read("maker")
        createdAt = try row.read("created_at")
        expiresAt = try row.readOptional("expires_at")
        lastUsedAt = try row.readOptional("last_used_at")
        revokedAt = try row.readOptional("revoked_at")
    }
}
