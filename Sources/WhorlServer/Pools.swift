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
        func pool(_ name: String, size: Int, session: String) -> PostgresPool {
            PostgresPool(
                url: url,
                configuration: .init(
                    size: size,
                    timeout: settings.database.timeout,
                    connectTimeout: settings.database.timeout,
                    session: session
                ),
                logger: logger,
                metrics: PostgresMetrics(registry: registry, pool: name, tellsUp: name == "ingest")
            )
        }
        // One connection for each writer and one for keys; the API gets the rest, two at least.
        let forIngest = settings.writer.writers + 1
        ingest = pool("ingest", size: forIngest, session: Self.writing(timeout: settings.database.timeout))
        api = pool("api", size: max(settings.database.connections - forIngest - 1, 2), session: "SET jit = off")
        health = pool("health", size: 1, session: "")
    }

    /// How connections that write are set up.
    ///
    /// The statement that stores a batch is large, and planning it costs more than running it: it is planned once, for any
    /// input, and along the indexes however small the tables are at that moment. Statements and waits for locks end a
    /// little after the collector has given up on them, so that a server does not go on with what nobody waits for.
    private static func writing(timeout: Duration) -> String {
        let milliseconds = Int(timeout / .milliseconds(1))
        return """
            SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
            SET enable_mergejoin = off; SET lock_timeout = \(milliseconds); SET statement_timeout = \(milliseconds + 500)
            """
    }

    var all: [PostgresPool] { [ingest, api, health] }

    func close() async {
        for pool in all { await pool.close() }
    }
}
