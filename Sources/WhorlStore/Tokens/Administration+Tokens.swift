import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol

extension Administration {
    // MARK: - Tokens
    /// Creates a token and returns it; only its hash is stored.
    ///
    /// A token that already exists, even a revoked one, is not changed.
    package func createToken(
        organizationID: Int?,
        name: String,
        scopes: [String],
        maker: String,
        expiresAt: Date? = nil,
        token: String? = nil
    ) async throws -> String {
        guard (1...200).contains(name.utf8.count) else {
            throw AdministrationError.invalid("the name of a token must have 1 to 200 bytes")
        }
        for scope in scopes where !TokenGrant.allScopes.contains(scope) {
            throw AdministrationError.invalid(
                "unknown scope \(scope); known are \(TokenGrant.allScopes.joined(separator: ", "))"
            )
        }
        let token = token ?? Self.newToken()
        _ = try await pool.execute(
            TokenStatements.createToken,
            [
                .optional(organizationID), name.postgresValue, Digest.sha256(token).postgresValue, .array(of: scopes),
                maker.postgresValue, .optional(expiresAt),
            ]
        )
        return token
    }

    /// All tokens including revoked ones, oldest first.
    package func tokens() async throws -> [TokenInfo] {
        try await pool.execute(TokenStatements.tokens).map(TokenInfo.init)
    }

    /// Revokes a token; returns false when the id is unknown or the token is already revoked.
    package func revokeToken(id: Int) async throws -> Bool {
        try await pool.execute(TokenStatements.revokeToken, [id.postgresValue]).affected > 0
    }

    package func token(_ token: String) async throws -> TokenGrant? {
        guard
            let row =
                try await pool.execute(
                    TokenStatements.tokenByHash,
                    [Digest.sha256(token).postgresValue]
                )
                .first
        else { return nil }
        if try row.read("is_unused_for_a_minute") {
            _ = try await pool.execute(
                TokenStatements.useToken,
                [try row.read("id", as: Int.self).postgresValue]
            )
        }
        return TokenGrant(
            id: try row.read("id"),
            organizationID: try row.readOptional("organization_id"),
            scopes: Set(try row.readArray("scopes", of: String.self))
        )
    }

    /// 64 lower-case hexadecimal digits from the system's random source.
    package static func newToken() -> String { randomHex(32) }
}

enum TokenStatements {
    static let all = [createToken, tokenByHash, useToken, tokens, revokeToken]

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
