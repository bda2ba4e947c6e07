import ArgumentParser
import Foundation
import Logging
import WhorlPostgres
import WhorlSpool
import WhorlStore

/// Exit codes of `sysexits.h` that scripts can rely on.
enum Exit {
    /// A command line or setting that is not valid.
    static let usage = ExitCode(64)
    /// Any other failure.
    static let failure = ExitCode(1)
}

/// Writes a line to standard error.
func printError(_ text: String) {
    LogWriter.standardError.write("whorl: " + text)
    LogWriter.standardError.flush(within: 1)
}

/// Runs the body of a command, and converts errors to a message and an exit code.
func runCommand(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as SettingsError {
        printError(error.description)
        throw Exit.usage
    } catch let error as AdministrationError {
        printError(error.description)
        if case .invalid = error { throw Exit.usage }
        throw Exit.failure
    } catch let error as SpoolError {
        printError(error.description)
        throw Exit.failure
    } catch let error as PostgresError {
        printError(error.description)
        throw Exit.failure
    }
}

/// The settings that every command reads, with the flag for the data directory.
struct CommonOptions: ParsableArguments {
    @Option(
        help:
            "\(Setting.dataDirectory.name): \(Setting.dataDirectory.meaning) (default: \(Setting.dataDirectory.fallback))"
    )
    var dataDir: String?

    var source: SettingSource {
        var source = SettingSource(environment: ProcessInfo.processInfo.environment)
        source.flags[Setting.dataDirectory.name] = dataDir
        return source
    }

    func logger() throws -> Logger {
        let settings = try LogSettings(source)
        // Commands log only notices and more severe messages; their result is their output.
        return Logger(label: "whorl") { label in
            StderrLogHandler(
                label: label,
                level: max(Logger.Level(rawValue: settings.level) ?? .info, .notice),
                isJSON: settings.isJSON
            )
        }
    }

    /// Runs the body with a migrated database; afterwards, a private cluster that no other process uses is stopped.
    func withAdministration(_ body: (Administration) async throws -> Void) async throws {
        try await withDatabase { try await body(Administration(pool: $0)) }
    }

    /// Runs the body with the connection pool of a migrated database.
    func withDatabase(_ body: (PostgresPool) async throws -> Void) async throws {
        let logger = try logger()
        let access = try await DatabaseAccess.open(DatabaseSettings(source), logger: logger)
        do {
            try await access.migrate()
            let pool = access.pool(logger: logger)
            do {
                try await body(pool)
            } catch {
                await pool.close()
                throw error
            }
            await pool.close()
        } catch {
            await access.close()
            throw error
        }
        await access.close()
    }

    /// The base URL of DSNs: the configured public URL of the collector, or its default.
    func publicURL() throws -> String {
        let settings = try ServeSettings(source)
        return settings.publicURL(port: settings.port)
    }
}

/// The DSN of a key.
func dsnText(publicURL: String, publicKey: String, projectID: Int) -> String {
    guard let separator = publicURL.firstRange(of: "://") else { return "" }
    return "\(publicURL[..<separator.upperBound])\(publicKey)@\(publicURL[separator.upperBound...])/\(projectID)"
}
