import ArgumentParser
import Foundation

/// The command `whorl serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the collector in the foreground; SIGTERM and SIGINT drain and exit 0.",
        usage: "whorl serve [--no-migrate] [SETTING ...]",
        discussion: SettingHelp.text
    )

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    @Flag(name: .customLong("no-migrate"), help: "Do not apply pending migrations; exit if there are any.")
    var noMigrate = false

    func run() async throws {
        try await runCommand {
            var source = SettingSource(environment: ProcessInfo.processInfo.environment)
            try source.addFlags(settings)
            try await Collector(settings: ServeSettings(source), migrates: !noMigrate).run()
        }
    }
}
