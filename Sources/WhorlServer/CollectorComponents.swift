import Logging
import ServiceLifecycle
import WhorlIngest
import WhorlOperations
import WhorlPostgres
import WhorlReplay
import WhorlSpool
import WhorlStore
import WhorlTelemetry

/// The components of a running collector, and the order in which their services start.
struct CollectorComponents: Sendable {
    let keyCopy: KeyCopy
    let keys: KeyDirectory
    let codec: PayloadCodec
    let writer: EventWriter
    let ingest: IngestPipeline
    let events: EventMetrics
    let health: HealthMonitor
    let metricPreloader: MetricPreloader
    /// The services to run, dependencies first.
    let services: [any Service]

    init(settings: ServeSettings, pools: Pools, registry: MetricsRegistry, logger: Logger) throws {
        let directory = settings.database.dataDirectory
        let spool = try Spool(
            directory: directory + "/spool",
            limits: settings.spool,
            logger: logger,
            registry: registry
        )
        codec = try PayloadCodec(pool: pools.housekeeping)
        keyCopy = KeyCopy(directory: directory)
        keys = KeyDirectory(pool: pools.ingest, copy: keyCopy, rules: settings.groupingRules, logger: logger)
        writer = EventWriter(pool: pools.ingest, configuration: settings.writer, logger: logger, registry: registry)
        events = EventMetrics(registry: registry)
        metricPreloader = MetricPreloader(
            queries: MetricsQueries(pool: pools.housekeeping),
            events: events,
            logger: logger
        )
        let sink = EventSink(writer: writer, spool: spool, codec: codec, keys: keys)
        let limiter = RateLimiter(pool: pools.limits, farFactor: settings.limits.farFactor, logger: logger)
        let outcomes = OutcomeRecorder(pool: pools.limits, logger: logger, registry: registry)
        let credentialFailures = CredentialFailureLimiter(failuresPerMinute: settings.limits.badCredentialsPerMinute)
        ingest = IngestPipeline(
            authorizer: IngestAuthorizer(
                keys: keys,
                limiter: limiter,
                limits: settings.limits,
                credentialFailures: credentialFailures,
                metrics: events
            ),
            sink: sink,
            limiter: limiter,
            limits: settings.limits,
            accounting: IngestAccounting(
                metrics: IngestMetrics(registry: registry),
                outcomes: outcomes,
                credentialFailures: credentialFailures,
                logger: logger
            ),
            registry: registry
        )
        let tagBacklog = TagBacklog(pool: pools.housekeeping, logger: logger, registry: registry)
        let healthPool = pools.health
        let watchdog = PoolWatchdog(registry: registry)
        health = HealthMonitor(
            logger: logger,
            registry: registry,
            watchdog: watchdog,
            canKeep: { await sink.canKeep }
        ) {
            _ = try await healthPool.execute(Self.ping, timeout: HealthMonitor.timeout)
        }
        var services: [any Service] = [
            watchdog, health,
            Retention(pool: pools.housekeeping, days: settings.retentionDays, logger: logger, registry: registry),
            metricPreloader, keys, codec, outcomes, limiter, tagBacklog, writer,
            SpoolReplay(
                spool: spool,
                writer: writer,
                keys: keys,
                codec: codec,
                events: events,
                retentionDays: settings.retentionDays,
                outcomes: outcomes,
                clock: DatabaseClock(pool: pools.housekeeping),
                logger: logger,
                registry: registry
            ),
        ]
        services.append(
            Regrouping(pool: pools.housekeeping, codec: codec, rules: settings.groupingRules, logger: logger)
        )
        if settings.hasCanary {
            let queries = EventQueries(pool: pools.housekeeping, codec: codec)
            services.append(Canary(sink: sink, events: queries, registry: registry, logger: logger))
        }
        self.services = services
    }

    private static let ping = PostgresStatement("health", "SELECT 1 AS one")
}
