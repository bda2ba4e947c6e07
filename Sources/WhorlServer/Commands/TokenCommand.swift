import ArgumentParser
import Foundation
import WhorlProtocol
import WhorlStore

/// The commands `whorl token create`, `list` and `revoke`.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Creates, lists and revokes API tokens.",
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates an API token and prints it once; only its hash is stored."
        )

        @Option(help: "The organisation that the token is for.")
        var org: String?

        @Flag(help: "Create a token for the whole installation instead.")
        var installation = false

        @Option(help: "The name of the token.")
        var name = "command line"

        @Option(
            parsing: .singleValue,
            help:
                "A scope by Sentry's name, such as event:write; repeatable. (default: event:read, project:read, org:read)"
        )
        var scope: [String] = []

        @Option(help: "How long the token is valid, such as 90d, 12h or 30m. (default: no expiry)")
        var expires: String?

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func validate() throws {
            guard (org != nil) != installation else {
                throw ValidationError("Give either --org ORG or --installation.")
            }
        }

        func run() async throws {
            try await runCommand {
                try await common.withAdministration { administration in
                    var organizationID: Int?
                    if let org {
                        guard let organization = try await administration.organization(slug: org) else {
                            throw AdministrationError.notFound("there is no organisation \(org)")
                        }
                        organizationID = organization.id
                    }
                    let scopes = scope.isEmpty ? TokenGrant.leastScopes : scope
                    let expiresAt = try expires.map { try Self.moment(after: $0) }
                    let token = try await administration.createToken(
                        organizationID: organizationID,
                        name: name,
                        scopes: scopes,
                        maker: "command line",
                        expiresAt: expiresAt
                    )
                    let object: JSON = [
                        "token": .string(token), "name": .string(name), "organization": .optional(org),
                        "scopes": .array(scopes.map(JSON.string)),
                        "expires": .optional(expiresAt.map { Timestamp.format($0) }),
                    ]
                    print(json ? object.text : token)
                }
            }
        }

        /// The time after a period from now; the period is a number with the unit d, h or m.
        private static func moment(after text: String) throws -> Date {
            let units: [Character: Double] = ["d": 86_400, "h": 3_600, "m": 60]
            guard let last = text.last, let unit = units[last], let count = Int(text.dropLast()),
                (1...100_000).contains(count)
            else {
                throw SettingsError(description: "--expires is \"\(text)\": write a number and d, h or m, such as 90d")
            }
            return Date().addingTimeInterval(Double(count) * unit)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists API tokens with their scopes, maker, expiry and last use."
        )

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                try await common.withAdministration { administration in
                    let tokens = try await administration.tokens()
                    if json {
                        let object: JSON = ["tokens": .array(tokens.map(Self.shape))]
                        print(object.text)
                        return
                    }
                    for token in tokens { print(Self.line(token)) }
                }
            }
        }

        private static func shape(_ token: TokenInfo) -> JSON {
            [
                "id": .int(token.id), "name": .string(token.name), "organization": .optional(token.organization),
                "scopes": .array(token.scopes.map(JSON.string)), "maker": .string(token.maker),
                "created": .string(Timestamp.format(token.createdAt)),
                "expires": .optional(token.expiresAt.map { Timestamp.format($0) }),
                "lastUsed": .optional(token.lastUsedAt.map { Timestamp.format($0) }),
                "revoked": .optional(token.revokedAt.map { Timestamp.format($0) }),
            ]
        }

        private static func line(_ token: TokenInfo) -> String {
            let state: String
            if let revokedAt = token.revokedAt {
                state = "revoked \(Timestamp.format(revokedAt))"
            } else if let expiresAt = token.expiresAt {
                state = (expiresAt < Date() ? "expired " : "expires ") + Timestamp.format(expiresAt)
            } else {
                state = "no expiry"
            }
            let used = token.lastUsedAt.map { "last used " + Timestamp.format($0) } ?? "never used"
            return [
                String(token.id), token.organization ?? "(installation)", token.name, "by \(token.maker)", state, used,
                token.scopes.joined(separator: ","),
            ]
            .joined(separator: "  ")
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revokes an API token; its next request is refused.")

        @Argument(help: "The id of the token, as `whorl token list` shows it.")
        var id: Int

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                try await common.withAdministration { administration in
                    guard try await administration.revokeToken(id: id) else {
                        throw AdministrationError.notFound("token \(id) does not exist or is already revoked")
                    }
                    print("revoked token \(id)")
                }
            }
        }
    }
}
