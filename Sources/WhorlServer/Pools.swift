import Logging
import WhorlPostgres
import WhorlTelemetry

/// The connection pools of a collector, separate by purpose: a slow search delays neither an event nor a health check.
struct Pools: Sendable {
    /// For writing events and looking up keys.
    let ingest: PostgresPool
    /// For the API.
    let api: PostgresPool
    /// For retention, tag counts and regrouping.
    let housekeeping: PostgresPool
    /// For shared limits and outcomes.
    let limits: PostgresPool
    /// For checking whether the database answers.
    let health: PostgresPool

    /// How long a request of the API may wait for the database.
    private static let apiTimeout = Duration.seconds(5)
    /// How long a step of housekeeping may take.
    private static let housekeepingTimeout = Duration.seconds(10)
    private static let housekeepingSize = 2

    init(settings: ServeSettings, url: String, registry: MetricsRegistry, logger: Logger) {
        func pool(_ name: String, size: Int, timeout: Duration, session: String = "SET jit = off") -> PostgresPool {
            PostgresPool(
                url: url,
                configuration: .init(
                    size: size,
                    timeout: timeout,
                    connectTimeout: settings.database.timeout,
                    session: session
                ),
                logger: logger,
                metrics: PostgresMetrics(registry: registry, pool: name, reportsAvailability: name == "ingest")
            )
        }
        let timeout = settings.database.timeout
        // One connection for each writer and one for keys; the API gets the rest.
        let forIngest = settings.writer.writers + 1
        let forAPI = settings.database.connections - forIngest - Self.housekeepingSize - 2
        ingest = pool("ingest", size: forIngest, timeout: timeout, session: Self.writing)
        api = pool("api", size: max(forAPI, 1), timeout: max(timeout, Self.apiTimeout))
        housekeeping = pool(
            "housekeeping",
            size: Self.housekeepingSize,
            timeout: max(timeout, Self.housekeepingTimeout)
        )
        limits = pool("limits", size: 1, timeout: timeout)
        health = pool("health", size: 1, timeout: timeout)
    }

    /// The session settings of connections that write.
    ///
    /// The statement that stores a batch is large, and planning it costs more than running it. So it is planned once,
    /// for any input, and always with indexes, even while the tables are small. A role or database with
    /// `synchronous_commit = off` would acknowledge events that a crash of the server loses, so the session sets that
    /// option, too.
    private static let writing = """
        SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
        SET enable_mergejoin = off; \(Durability.synchronousCommit)
        """

    var all: [PostgresPool] { [ingest, api, housekeeping, limits, health] }

    func close() async {
        for pool in all { await pool.close() }
    }
}
