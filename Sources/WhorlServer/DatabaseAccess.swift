import Foundation
import Logging
import WhorlPostgres
import WhorlPrivateCluster
import WhorlStore
import WhorlTelemetry

/// The database of a command: the configured one, or the private cluster, which is started if it is not running.
struct DatabaseAccess: Sendable {
    let url: String
    let cluster: PrivateCluster?

    /// The time limit for starting a private Postgres, including its first initialisation on a slow disk.
    private static let startTimeout = Duration.seconds(90)
    /// The time limit for migrations, including the wait for migrations of another collector.
    private static let migrationTimeout = Duration.seconds(600)

    /// Finds the database; a private one is started and used until ``close()``.
    static func open(_ settings: DatabaseSettings, logger: Logger) async throws -> DatabaseAccess {
        try makeDataDirectory(settings.dataDirectory)
        if let url = settings.databaseURL { return DatabaseAccess(url: url, cluster: nil) }
        let cluster = try await PrivateCluster.locate(dataDirectory: settings.dataDirectory)
        if cluster.isOutsideDataDirectory {
            logger.notice(
                "private Postgres is outside the data directory, because the user postgres cannot access it",
                metadata: ["postgres.directory": "\(cluster.directory)"]
            )
        }
        do {
            try await cluster.start(deadline: .now + startTimeout)
        } catch {
            // Postgres may be running without answering, and nothing else would stop it.
            try? await cluster.stop(deadline: .now + .seconds(10))
            throw error
        }
        logger.info(
            "private Postgres runs",
            metadata: ["postgres.directory": "\(cluster.directory)", "postgres.log": "\(cluster.logFile)"]
        )
        return DatabaseAccess(url: cluster.url, cluster: cluster)
    }

    /// Releases the private cluster; the last process that releases it stops it.
    func close() async {
        try? await cluster?.stop(deadline: .now + .seconds(30))
    }

    /// Brings the schema up to date.
    func migrate() async throws {
        let deadline = ContinuousClock.now + Self.migrationTimeout
        let connection = try await PostgresConnection.connect(url, deadline: min(deadline, .now + .seconds(10)))
        do {
            try await schemaMigrator.migrate(connection, deadline: deadline)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// Reads the migration status of the schema without changing it.
    func migrationStatus() async throws -> Migrator.Status {
        let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(5))
        do {
            let status = try await schemaMigrator.status(connection, deadline: .now + .seconds(5))
            await connection.close()
            return status
        } catch {
            await connection.close()
            throw error
        }
    }

    /// A small connection pool, for a command that runs few queries.
    func pool(logger: Logger) -> PostgresPool {
        PostgresPool(
            url: url,
            configuration: .init(size: 2, timeout: .seconds(10), connectTimeout: .seconds(5)),
            logger: logger,
            metrics: PostgresMetrics(registry: MetricsRegistry())
        )
    }

    private static func makeDataDirectory(_ path: String) throws {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
            guard isDirectory.boolValue else {
                throw SettingsError(description: "WHORL_DATA_DIR is \"\(path)\": it is not a directory")
            }
            return
        }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw SettingsError(description: "WHORL_DATA_DIR is \"\(path)\": the directory cannot be created")
        }
    }
}
