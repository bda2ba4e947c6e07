import ArgumentParser
import WhorlProtocol

/// The program: `whorl serve` and its other commands.
@main
struct WhorlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whorl",
        abstract: "A self-hosted, Sentry-compatible error tracker.",
        version: Version.text,
        subcommands: [
            Serve.self, Migrate.self, ProjectCommand.self, KeyCommand.self, SpoolCommand.self, TokenCommand.self,
            DictionaryCommand.self, Explain.self, SendTest.self, Doctor.self,
        ]
    )
}

/// The version of the program.
enum Version {
    static let number = WhorlVersion.number
    /// The commit of the build, if the build sets it.
    static let revision = "unknown"
    static let text = "whorl \(number)"
}
