import Foundation
import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlServices
import WhorlStore
import WhorlTelemetry

/// Prepares the database for the collector: schema, first organisation and project, partitions.
///
/// The first attempt is at start. If the database is unavailable then, the collector still starts and spools the events
/// of known keys, and this service retries until it succeeds.
struct DatabasePreparation: Service {
    private static let interval = Duration.seconds(1)

    let access: DatabaseAccess
    let pools: Pools
    let migrates: Bool
    let bootstrap: BootstrapSettings
    /// Runs after the preparation and loads further data.
    let prepared: @Sendable () async throws -> Void
    /// Whether the first attempt failed.
    var isPending = false
    let logger: Logger

    /// Prepares the database now.
    func prepare() async throws -> Bootstrap.FirstStart? {
        try await prepareSchema()
        let first = try await Bootstrap(pool: pools.housekeeping, settings: bootstrap, logger: logger).run()
        try await Partitions(pool: pools.housekeeping).createAhead(of: Date())
        return first
    }

    private func prepareSchema() async throws {
        if migrates {
            try await access.migrate()
            return
        }
        let status = try await access.migrationStatus()
        guard status.isCurrent else {
            throw PostgresError(
                .other,
                "the schema is at migration \(status.applied) and the program at \(status.known): run whorl migrate"
            )
        }
    }

    func run() async throws {
        guard isPending else {
            try? await gracefulShutdown()
            return
        }
        try await cancelWhenGracefulShutdown {
            repeat {
                do {
                    _ = try await prepare()
                    try await prepared()
                    logger.notice("database prepared")
                    break
                } catch let error as PostgresError where error.meansServerUnavailable {
                    logger.debug("database not prepared yet", metadata: ["db.error": "\(error)"])
                }
            } while await PeriodicService.tick(after: Self.interval)
            // An incompatible schema terminates the collector, as it does at start.
            try? await gracefulShutdown()
        }
    }
}
