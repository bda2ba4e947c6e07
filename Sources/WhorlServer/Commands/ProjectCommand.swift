import ArgumentParser
import WhorlProtocol
import WhorlStore

/// The commands `whorl project create` and `whorl project list`.
struct ProjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project",
        abstract: "Creates and lists projects.",
        subcommands: [Create.self, List.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Creates a project and a key; prints the DSN.")

        @Argument(help: "The slug: 1 to 50 lower-case letters, digits, '-' and '_'.")
        var slug: String

        @Option(help: "The organisation; it is created if it does not exist.")
        var org = "default"

        @Option(help: "The display name. (default: the slug)")
        var name: String?

        @Option(help: "The platform, such as python.")
        var platform: String?

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                let publicURL = try common.publicURL()
                try await common.withAdministration { administration in
                    let organization = try await administration.ensureOrganization(slug: org)
                    let (project, key) = try await administration.createProject(
                        slug: slug,
                        name: name,
                        platform: platform,
                        organizationID: organization.id
                    )
                    let dsn = dsnText(publicURL: publicURL, publicKey: key.publicKey, projectID: project.id)
                    if json {
                        let object: JSON = [
                            "id": .string(String(project.id)), "slug": .string(project.slug),
                            "name": .string(project.name), "platform": .optional(project.platform),
                            "organization": .string(organization.slug), "publicKey": .string(key.publicKey),
                            "dsn": .string(dsn),
                        ]
                        print(object.text)
                    } else {
                        print("Created the project \(project.slug) in \(organization.slug). Its DSN is\n\n    \(dsn)\n")
                    }
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the projects.")

        @Flag(help: "Print one JSON object.")
        var json = false

        @OptionGroup var common: CommonOptions

        func run() async throws {
            try await runCommand {
                try await common.withAdministration { administration in
                    let projects = try await administration.projects(organizationID: nil)
                    if json {
                        let list = projects.map { project -> JSON in
                            [
                                "id": .string(String(project.id)), "slug": .string(project.slug),
                                "name": .string(project.name), "platform": .optional(project.platform),
                                "organization": .string(project.organizationSlug),
                            ]
                        }
                        print((["projects": .array(list)] as JSON).text)
                    } else {
                        for project in projects {
                            print("\(project.id)\t\(project.organizationSlug)/\(project.slug)\t\(project.name)")
                        }
                    }
                }
            }
        }
    }
}

/// Finds a project by id, `slug` or `org/slug`; the name must be unambiguous.
func findProject(_ name: String, _ administration: Administration) async throws -> Project {
    let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
    let found = try await administration.projects(organizationID: nil)
        .filter { project in
            parts.count == 2
                ? project.organizationSlug == parts[0] && project.slug == parts[1]
                : project.slug == name || String(project.id) == name
        }
    guard let project = found.first else { throw AdministrationError.notFound("there is no project \(name)") }
    guard found.count == 1 else {
        throw AdministrationError.invalid("several organisations have a project \(name): name it as ORG/\(name)")
    }
    return project
}
