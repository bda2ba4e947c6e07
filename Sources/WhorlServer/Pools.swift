import Logging
import WhorlPostgres
import WhorlTelemetry

/// The connections of a collector, apart by purpose: a slow search must not keep an event waiting, nor a health check.
struct Pools: Sendable {
    /// For writing events and looking up keys.
    let ingest: PostgresPool
    /// For the API and for housekeeping.
    let api: PostgresPool
    /// For the one question whether the database answers.
    let health: PostgresPool

    init(settings: ServeSettings, url: String, registry: MetricsRegistry, logger: Logger) {
        func pool(_ name: String, size: Int) -> PostgresPool {
            PostgresPool(
                url: url,
                configuration: .init(
                    size: size,
                    timeout: settings.database.timeout,
                    connectTimeout: settings.database.timeout
                ),
                logger: logger,
                metrics: PostgresMetrics(registry: registry, pool: name, tellsUp: name == "ingest")
            )
        }
        // One connection for each writer and one for keys; the API gets the rest, two at least.
        let forIngest = settings.writer.writers + 1
        ingest = pool("ingest", size: forIngest)
        api = pool("api", size: max(settings.database.connections - forIngest - 1, 2))
        health = pool("health", size: 1)
    }

    var all: [PostgresPool] { [ingest, api, health] }

    func close() async {
        for pool in all { await pool.close() }
    }
}
