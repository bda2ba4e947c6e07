import ArgumentParser
import WhorlProtocol
import WhorlStore

/// The commands `whorl key create`, `whorl key disable` and `whorl key list`.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Creates, disables and lists the keys of a project.",
        subcommands: [Create.self, Disable.self, List.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Creates a key and prints its DSN.")

        @Argument(help: "The project, as SLUG, ORG/SLUG or id.")
        var project: String

        @Option(help: "The name of the key.")
        var label = "Default"

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                let publicURL = try common.publicURL()
                try await common.withAdministration { administration in
                    let project = try await findProject(project, administration)
                    let key = try await administration.createKey(projectID: project.id, label: label)
                    if json {
                        print(keyJSON(key, publicURL).text)
                    } else {
                        print(dsnText(publicURL: publicURL, publicKey: key.publicKey, projectID: project.id))
                    }
                }
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disables a key of a project; collectors refuse it within ten seconds."
        )

        @Argument(help: "The project, as SLUG, ORG/SLUG or id.")
        var project: String

        @Argument(help: "The public key. (default: the only active one)")
        var publicKey: String?

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                try await common.withAdministration { administration in
                    let project = try await findProject(project, administration)
                    let keys = try await administration.keys(projectID: project.id)
                    let active = keys.filter(\.isActive)
                    guard let chosen = publicKey ?? (active.count == 1 ? active.first?.publicKey : nil) else {
                        throw AdministrationError.invalid(
                            "the project has \(active.count) active keys: name the public key to disable"
                        )
                    }
                    guard
                        try await administration.updateKey(
                            projectID: project.id,
                            publicKey: chosen,
                            isActive: false,
                            label: nil
                        )
                    else { throw AdministrationError.notFound("the project has no key \(chosen)") }
                    let object: JSON = ["publicKey": .string(chosen), "isActive": false]
                    print(json ? object.text : "Disabled \(chosen).")
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys of a project.")

        @Argument(help: "The project, as SLUG, ORG/SLUG or id.")
        var project: String

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                let publicURL = try common.publicURL()
                try await common.withAdministration { administration in
                    let project = try await findProject(project, administration)
                    let keys = try await administration.keys(projectID: project.id)
                    if json {
                        print((["keys": .array(keys.map { keyJSON($0, publicURL) })] as JSON).text)
                    } else {
                        for key in keys {
                            print("\(key.publicKey)\t\(key.isActive ? "active" : "disabled")\t\(key.label)")
                        }
                    }
                }
            }
        }
    }
}

private func keyJSON(_ key: ProjectKey, _ publicURL: String) -> JSON {
    [
        "publicKey": .string(key.publicKey), "label": .string(key.label), "isActive": .bool(key.isActive),
        "dsn": .string(dsnText(publicURL: publicURL, publicKey: key.publicKey, projectID: key.projectID)),
    ]
}
