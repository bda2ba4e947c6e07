import ArgumentParser
import WhorlProtocol
import WhorlStore

/// The command `whorl token create`.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Makes API tokens.",
        subcommands: [Create.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes an API token and prints it, this once; only its hash is kept."
        )

        @Option(help: "The organisation that the token is for.")
        var org: String?

        @Flag(help: "Make a token for the whole installation instead.")
        var installation = false

        @Option(help: "What the token is called.")
        var name = "command line"

        @Option(parsing: .singleValue, help: "A scope by Sentry's name, such as event:read; repeatable. (default: all)")
        var scope: [String] = []

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
                    let scopes = scope.isEmpty ? TokenGrant.allScopes : scope
                    let token = try await administration.createToken(
                        organizationID: organizationID,
                        name: name,
                        scopes: scopes
                    )
                    let object: JSON = [
                        "token": .string(token), "name": .string(name), "organization": .optional(org),
                        "scopes": .array(scopes.map(JSON.string)),
                    ]
                    print(json ? object.text : token)
                }
            }
        }
    }
}
