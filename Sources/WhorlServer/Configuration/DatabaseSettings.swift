import Foundation

/// The location of the database and of the data directory, which every command needs.
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
                description: "DATABASE_URL must start with postgres:// or postgresql://"
            )
        }
        let directory = source.value(.dataDirectory) ?? Setting.dataDirectory.fallback
        dataDirectory = URL(fileURLWithPath: directory).standardizedFileURL.path
        connections = try source.integer(.databaseConnections)
        timeout = .milliseconds(try source.integer(.databaseTimeout))
    }
}
