import Foundation
import Logging
import WhorlPostgres
import WhorlPrivateCluster
import WhorlStore
import WhorlTelemetry

/// The database of a command: the configured one, or the private cluster, started when it does not run.
struct DatabaseAccess: Sendable {
    let url: String
    let cluster: PrivateCluster?

    /// How long starting a private Postgres may take, its first initialisation on a slow disk included.
    private static let startTimeout = Duration.seconds(90)
    /// How long migrations may take; another collector's are waited for.
    private static let migrationTimeout = Duration.seconds(600)

    /// Finds the database; a private one is started and used until ``close()``.
    static func open(_ settings: DatabaseSettings, logger: Logger) async throws -> DatabaseAccess {
        try makeDataDirectory(settings.dataDirectory)
        if let url = settings.databaseURL { return DatabaseAccess(url: url, cluster: nil) }
        let cluster = try await PrivateCluster.locate(dataDirectory: settings.dataDirectory)
        if cluster.isElsewhere {
            logger.notice(
                "private Postgres lies outside the data directory, which the user postgres cannot reach",
                metadata: ["postgres.directory": "\(cluster.directory)"]
            )
        }
        do {
            try await cluster.start(deadline: .now + startTimeout)
        } catch {
            // It may run and just not answer; nobody else would stop it.
            try? await cluster.stop(deadline: .now + .seconds(10))
            throw error
        }
        logger.info(
            "private Postgres runs",
            metadata: ["postgres.directory": "\(cluster.directory)", "postgres.log": "\(cluster.logFile)"]
        )
        return DatabaseAccess(url: cluster.url, cluster: cluster)
    }

    /// Leaves the private cluster; the last one to leave stops it.
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

    /// Where the schema is, without changing it.
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

    /// A pool of a few connections, for a command that asks a few questions.
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
                throw SettingsError(description: "WHORL_DATA_DIR is \"\(path)\": it is no directory")
            }
            return
        }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw SettingsError(description: "WHORL_DATA_DIR is \"\(path)\": the directory cannot be made")
        }
    }
}
