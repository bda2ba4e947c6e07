import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Metrics
import NIOCore
import ServiceLifecycle
import Synchronization
import WhorlAPI
import WhorlIngest
import WhorlOperations
import WhorlPostgres
import WhorlStore
import WhorlTelemetry

/// The collector: puts the rooms together and runs their services, each after those it depends on.
struct Collector: Sendable {
    let settings: ServeSettings
    let migrates: Bool

    /// How long a stop may take before what is left is cut off; the whole exit stays below ten seconds.
    private static let drainTimeout = Duration.seconds(8)

    func run() async throws {
        let level = Logger.Level(rawValue: settings.log.level) ?? .info
        let isJSON = settings.log.isJSON
        LoggingSystem.bootstrap { StderrLogHandler(label: $0, level: level, isJSON: isJSON) }
        let logger = Logger(label: "whorl")
        // A client that goes away while it is answered must not end the process.
        signal(SIGPIPE, SIG_IGN)

        let signals = StartSignals()
        let access = try await DatabaseAccess.open(settings.database, logger: logger)
        do {
            try await serve(access, logger, signals)
        } catch is StartSignals.Stopped {
            logger.info("stopped while starting")
        } catch {
            await access.close()
            throw error
        }
        // After the last commit.
        await access.close()
        logger.info("stopped")
    }

    private func serve(_ access: DatabaseAccess, _ logger: Logger, _ signals: StartSignals) async throws {
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(TelemetryMetricsFactory(registry: registry))
        ProcessMetrics.describe(in: registry, version: Version.number, revision: Version.revision)
        try signals.check()
        try await prepareSchema(access)
        let migration = registry.gauge("whorl_migration_version", "The number of the schema.")
        migration.set(Double(schemaMigrator.migrations.last?.number ?? 0))

        let pools = Pools(settings: settings, url: access.url, registry: registry, logger: logger)
        let first = try await Bootstrap(pool: pools.api, settings: settings.bootstrap).run()
        let retention = Retention(pool: pools.api, days: settings.retentionDays, logger: logger, registry: registry)
        try await Partitions(pool: pools.api).createAhead(of: Date())
        let keys = KeyDirectory(pool: pools.ingest, logger: logger)
        let writer = EventWriter(pool: pools.ingest, configuration: settings.writer, logger: logger, registry: registry)
        let events = EventMetrics(registry: registry)
        let knownChildren = KnownChildren(queries: MetricsQueries(pool: pools.api), events: events, logger: logger)
        try await knownChildren.load()
        let health = HealthMonitor(logger: logger, registry: registry) {
            _ = try await pools.health.execute(Self.ping, timeout: HealthMonitor.timeout)
        }
        await health.checkOnce()

        let publicURL = PublicURL(settings.publicURL(port: settings.port))
        let server = application(
            router: router(registry, health, keys, writer, events, pools.api, publicURL, logger),
            logger: logger
        ) { port in
            publicURL.set(settings.publicURL(port: port))
            logger.info(
                "listening",
                metadata: [
                    "server.address": "http://\(settings.host):\(port)", "whorl.public_url": "\(publicURL.text)",
                ]
            )
            if let first { FirstStartBlock(first, publicURL: publicURL.text).show() }
        }
        warnOfOpenMetrics(logger)
        // From here on the service group listens to signals.
        try signals.end()
        // Dependencies first; they stop in the reverse order, so the drain begins at the end of the list.
        let group = ServiceGroup(
            configuration:
                .init(
                    services: pools.all.map { .init(service: $0) } + [
                        .init(service: health), .init(service: retention), .init(service: knownChildren),
                        .init(service: keys), .init(service: writer), .init(service: server),
                        .init(service: DrainSignal(health: health, logger: logger)),
                    ],
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: logger
                )
                .with(maximumGracefulShutdown: Self.drainTimeout)
        )
        do {
            try await group.run()
        } catch {
            await pools.close()
            throw error
        }
        await pools.close()
    }

    private static let ping = PostgresStatement("health", "SELECT 1 AS one")

    private func prepareSchema(_ access: DatabaseAccess) async throws {
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

    private func router(
        _ registry: MetricsRegistry,
        _ health: HealthMonitor,
        _ keys: KeyDirectory,
        _ writer: EventWriter,
        _ events: EventMetrics,
        _ pool: PostgresPool,
        _ publicURL: PublicURL,
        _ logger: Logger
    ) -> Router<CollectorRequestContext> {
        let router = Router(context: CollectorRequestContext.self)
        router.add(middleware: RequestMetrics(registry: registry, logger: logger))
        router.add(middleware: ErrorAnswers(logger: logger))
        IngestRoutes(
            handler: IngestHandler(
                keys: keys,
                writer: writer,
                limits: settings.limits,
                registry: registry,
                events: events,
                logger: logger
            ),
            proxies: settings.proxies
        )
        .add(to: router)
        APIRoutes(pool: pool, publicURL: { publicURL.text }, projectCreated: events.know(organization:project:))
            .add(to: router)
        MetricsRoute(registry: registry, token: settings.metricsToken).add(to: router)
        HealthRoutes(monitor: health).add(to: router)
        FrontPage.add(to: router)
        return router
    }

    private func application(
        router: Router<CollectorRequestContext>,
        logger: Logger,
        listening: @escaping @Sendable (Int) -> Void
    ) -> some ApplicationProtocol {
        Application(
            router: router,
            server: .http1(configuration: .init(idleTimeout: .seconds(Int64(settings.idleTimeoutSeconds)))),
            configuration: .init(
                address: .hostname(settings.host, port: settings.port),
                serverName: nil,
                backlog: 1_024
            ),
            onServerRunning: { channel in listening(channel.localAddress?.port ?? 0) },
            logger: {
                // What Hummingbird says per request, we say ourselves.
                var quiet = logger
                quiet.logLevel = max(logger.logLevel, .notice)
                return quiet
            }()
        )
    }

    private func warnOfOpenMetrics(_ logger: Logger) {
        let isLoopback = settings.host == "localhost" || settings.host == "::1" || settings.host.hasPrefix("127.")
        guard !isLoopback, settings.metricsToken == nil else { return }
        logger.warning("/metrics is open to everybody who reaches this host: set WHORL_METRICS_TOKEN")
    }
}

extension ServiceGroupConfiguration {
    fileprivate func with(maximumGracefulShutdown duration: Duration) -> ServiceGroupConfiguration {
        var configuration = self
        configuration.maximumGracefulShutdownDuration = duration
        return configuration
    }
}

/// The request of every route, with the address of the peer.
struct CollectorRequestContext: RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}

/// The base of DSNs and permalinks, known for sure once the port is.
final class PublicURL: Sendable {
    private let value: Mutex<String>

    init(_ text: String) { value = Mutex(text) }

    var text: String { value.withLock { $0 } }

    func set(_ text: String) { value.withLock { $0 = text } }
}

/// Stops first: from then on the collector says that it is not ready, while it still answers.
private struct DrainSignal: Service {
    let health: HealthMonitor
    let logger: Logger

    /// When the process ends whatever is still at work: decoding a huge body does not notice that it should stop.
    private static let lastMoment: TimeInterval = 9

    func run() async throws {
        await gracefulShutdownOrCancellation()
        health.drain()
        Thread.detachNewThread { [logger] in
            Thread.sleep(forTimeInterval: Self.lastMoment)
            // What was acknowledged is committed; a private Postgres runs on, and the next start finds it.
            logger.warning("drain cut off")
            _exit(0)
        }
    }
}
