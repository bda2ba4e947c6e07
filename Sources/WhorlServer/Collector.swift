import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Metrics
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle
import Synchronization
import WhorlAPI
import WhorlHTTP
import WhorlIngest
import WhorlOperations
import WhorlPostgres
import WhorlPrivateCluster
import WhorlStore
import WhorlTelemetry

/// The collector: creates its components and runs their services, each after those it depends on.
struct Collector: Sendable {
    let settings: ServeSettings
    let migrates: Bool

    /// The time limit of a graceful stop, after which the rest is cancelled; the whole exit stays below ten seconds.
    private static let drainTimeout = Duration.seconds(8)

    func run() async throws {
        let level = Logger.Level(rawValue: settings.log.level) ?? .info
        let isJSON = settings.log.isJSON
        LoggingSystem.bootstrap { StderrLogHandler(label: $0, level: level, isJSON: isJSON) }
        let logger = Logger(label: "whorl")
        // A client that disconnects during a response must not end the process.
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
        // Runs after the last commit.
        await access.close()
        logger.info("stopped")
        LogWriter.standardError.flush(within: 1)
    }

    private func serve(_ access: DatabaseAccess, _ logger: Logger, _ signals: StartSignals) async throws {
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(TelemetryMetricsFactory(registry: registry))
        registry.observed("whorl_log_lines_dropped_total", "Log lines that could not be written.", kind: .counter) {
            [(labels: [], value: Double(LogWriter.standardError.dropped.value))]
        }
        ProcessMetrics.describe(in: registry, version: Version.number, revision: Version.revision)
        try signals.check()
        let pools = Pools(settings: settings, url: access.url, registry: registry, logger: logger)
        let components = try CollectorComponents(settings: settings, pools: pools, registry: registry, logger: logger)
        let publicURL = PublicURL(settings.publicURL(port: settings.port))
        let (preparation, first) = try await prepare(access, pools, components, registry, logger)
        await components.health.checkOnce()
        let isListening = Atomic(false)

        let recorder = RequestRecorder(registry: registry, logger: logger)
        let server = application(components, recorder, pools.api, publicURL, registry, logger) { port in
            isListening.store(true, ordering: .relaxed)
            publicURL.set(settings.publicURL(port: port))
            logger.info(
                "listening",
                metadata: [
                    "server.address": "http://\(settings.host):\(port)", "whorl.public_url": "\(publicURL.text)",
                ]
            )
            if let first { FirstStartMessage(first, publicURL: publicURL.text, isListening: true).show() }
        }
        warnOfOpenMetrics(logger)
        // From here on the service group handles signals.
        try signals.end()
        // Dependencies come first. Services stop in reverse order, so the drain begins at the end of the list.
        var services: [any Service] = []
        if let cluster = access.cluster { services.append(PrivateClusterSupervisor(cluster: cluster, logger: logger)) }
        services += pools.all as [any Service]
        services.append(preparation)
        services += components.services
        services += [server, DrainSignal(health: components.health, logger: logger)] as [any Service]
        let group = ServiceGroup(
            configuration:
                .init(
                    services: services.map { .init(service: $0) },
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: logger
                )
                .with(maximumGracefulShutdown: Self.drainTimeout)
        )
        do {
            try await group.run()
        } catch {
            await pools.close()
            // The token is shown only once, so it is shown even if the collector cannot listen.
            if let first, !isListening.load(ordering: .relaxed) {
                FirstStartMessage(first, publicURL: publicURL.text, isListening: false).show()
            }
            throw error
        }
        await pools.close()
    }

    /// Prepares the database; if it is unavailable and keys are known from an earlier run, a service prepares it later.
    private func prepare(
        _ access: DatabaseAccess,
        _ pools: Pools,
        _ components: CollectorComponents,
        _ registry: MetricsRegistry,
        _ logger: Logger
    ) async throws -> (service: DatabasePreparation, first: Bootstrap.FirstStart?) {
        let migration = registry.gauge("whorl_migration_version", "Number of the latest migration of the schema.")
        var preparation = DatabasePreparation(
            access: access,
            pools: pools,
            migrates: migrates,
            bootstrap: settings.bootstrap,
            prepared: {
                migration.set(Double(schemaMigrator.migrations.last?.number ?? 0))
                await components.keys.update()
                try await components.codec.load()
                try await components.metricPreloader.load()
                components.writer.open()
            },
            logger: logger
        )
        do {
            let first = try await preparation.prepare()
            try await preparation.prepared()
            return (preparation, first)
        } catch let error as PostgresError where error.meansServerUnavailable && components.keyCopy.exists {
            logger.error(
                "database unavailable at start; events of known keys go to the spool",
                metadata: ["db.error": "\(error)"]
            )
            preparation.isPending = true
            return (preparation, nil)
        }
    }

    private func application(
        _ components: CollectorComponents,
        _ recorder: RequestRecorder,
        _ pool: PostgresPool,
        _ publicURL: PublicURL,
        _ registry: MetricsRegistry,
        _ logger: Logger,
        listening: @escaping @Sendable (Int) -> Void
    ) -> some ApplicationProtocol {
        let router = Router(context: CollectorRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: RequestMetrics(recorder: recorder))
        router.add(middleware: HeadResponseMiddleware())
        router.add(middleware: ErrorResponseMiddleware(logger: logger))
        router.add(middleware: ResponseMemoryMiddleware(proxies: settings.proxies, registry: registry))
        IngestRoutes(pipeline: components.ingest, proxies: settings.proxies).add(to: router)
        APIRoutes(
            pool: pool,
            codec: components.codec,
            rules: settings.groupingRules,
            publicURL: { publicURL.text },
            projectCreated: { _ = components.events.project(organization: $0, project: $1) }
        )
        .add(to: router)
        MetricsRoute(registry: registry, token: settings.metricsToken).add(to: router)
        HealthRoutes(monitor: components.health).add(to: router)
        FrontPage.add(to: router)
        let handlers = channelHandlers(components.ingest, recorder, registry)
        return Application(
            router: router,
            server: .http1(configuration: .init(additionalChannelHandlers: handlers())),
            configuration: .init(
                address: .hostname(settings.host, port: settings.port),
                serverName: nil,
                backlog: 1_024
            ),
            onServerRunning: { channel in listening(channel.localAddress?.port ?? 0) },
            logger: {
                // Requests are logged by RequestRecorder, so the messages of Hummingbird about requests are suppressed.
                var quiet = logger
                quiet.logLevel = max(logger.logLevel, .notice)
                return quiet
            }()
        )
    }

    /// The first handlers of every connection: the connection guard, then the ingest handler.
    private func channelHandlers(
        _ ingest: IngestPipeline,
        _ recorder: RequestRecorder,
        _ registry: MetricsRegistry
    ) -> @Sendable () -> [any RemovableChannelHandler] {
        let proxies = settings.proxies
        let count = ConnectionCount(
            maximum: min(settings.limits.connections, DescriptorLimit.raise()),
            maximumPerAddress: settings.limits.connectionsPerAddress,
            isExempt: proxies.contains,
            registry: registry
        )
        let times = ConnectionTimes(
            head: TimeAmount(settings.limits.headTimeout),
            body: TimeAmount(settings.limits.bodyTimeout),
            answer: .seconds(60),
            write: TimeAmount(settings.limits.bodyTimeout),
            idle: .seconds(Int64(settings.idleTimeoutSeconds))
        )
        let pace = AddressRequestLimiter(registry: registry)
        let ingestRecorder = IngestRecorder(recorder)
        return {
            [
                ConnectionGuard(times: times, count: count),
                IngestChannelHandler(pipeline: ingest, proxies: proxies, pace: pace, recorder: ingestRecorder),
            ]
        }
    }

    private func warnOfOpenMetrics(_ logger: Logger) {
        let isLoopback = settings.host == "localhost" || settings.host == "::1" || settings.host.hasPrefix("127.")
        guard !isLoopback, settings.metricsToken == nil else { return }
        logger.warning("/metrics is readable by everybody who can reach this host: set WHORL_METRICS_TOKEN")
    }
}

extension ServiceGroupConfiguration {
    fileprivate func with(maximumGracefulShutdown duration: Duration) -> ServiceGroupConfiguration {
        var configuration = self
        configuration.maximumGracefulShutdownDuration = duration
        return configuration
    }
}

/// The base URL of DSNs and permalinks, which is final once the port is known.
final class PublicURL: Sendable {
    private let value: Mutex<String>

    init(_ text: String) { value = Mutex(text) }

    var text: String { value.withLock { $0 } }

    func set(_ text: String) { value.withLock { $0 = text } }
}

/// The service that stops first: it marks the collector as not ready, while the server still answers.
private struct DrainSignal: Service {
    let health: HealthMonitor
    let logger: Logger

    /// The number of seconds after which the process exits regardless, because decoding a huge body cannot be
    /// cancelled.
    private static let exitTimeout: TimeInterval = 9

    func run() async throws {
        try? await gracefulShutdown()
        // Cancellation means that another service failed, so the process must not exit with success.
        let status: Int32 = Task.isCancelled ? 1 : 0
        health.drain()
        Thread.detachNewThread { [logger] in
            Thread.sleep(forTimeInterval: Self.exitTimeout)
            // Acknowledged events are committed. A private Postgres keeps running, and the next start uses it.
            logger.warning("graceful stop took too long, exiting")
            LogWriter.standardError.flush(within: 0.5)
            _exit(status)
        }
    }
}
