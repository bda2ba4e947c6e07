import ArgumentParser
import WhorlProtocol

/// The program: `whorl serve` and the commands around it.
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

/// What this program calls itself.
enum Version {
    static let number = WhorlVersion.number
    /// The commit it was built from, where the build said so.
    static let revision = "unknown"
    static let text = "whorl \(number)"
}
