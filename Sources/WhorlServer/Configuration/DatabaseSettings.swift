import Foundation

/// Where the database is and where files lie: what every command needs.
struct DatabaseSettings {
    /// Nil for a private Postgres.
    let databaseURL: String?
    let dataDirectory: String
    let connections: Int
    let timeout: Duration

    init(_ source: SettingSource) throws {
        databaseURL = try source.secret(.databaseURL)
        if let databaseURL, !databaseURL.hasPrefix("postgres://"), !databaseURL.hasPrefix("postgresql://") {
            throw SettingsError(
                description: "DATABASE_URL does not start with postgres:// or postgresql://, as it must"
            )
        }
        let directory = source.value(.dataDirectory) ?? Setting.dataDirectory.fallback
        dataDirectory = URL(fileURLWithPath: directory).standardizedFileURL.path
        connections = try source.integer(.databaseConnections)
        timeout = .milliseconds(try source.integer(.databaseTimeout))
    }
}
