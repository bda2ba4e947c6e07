import ArgumentParser
import Foundation

/// The command `whorl serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the collector in the foreground; SIGTERM and SIGINT drain and exit 0.",
        discussion: """
            Secrets come from the environment only, as NAME or as NAME_FILE (a path): DATABASE_URL (unset: a private \
            Postgres in the data directory), WHORL_METRICS_TOKEN (unset: /metrics is open), WHORL_BOOTSTRAP_KEY, \
            WHORL_BOOTSTRAP_TOKEN.
            """
    )

    @OptionGroup var options: ServeOptions

    @Flag(name: .customLong("no-migrate"), help: "Do not apply pending migrations; stop when there are any.")
    var noMigrate = false

    func run() async throws {
        try await runCommand {
            var source = SettingSource(environment: ProcessInfo.processInfo.environment)
            source.flags = options.flags
            try await Collector(settings: ServeSettings(source), migrates: !noMigrate).run()
        }
    }
}
