import EventSamples
import Foundation
import Logging
import Processes
import ServiceLifecycle
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProcessing
import WhorlProtocol
import WhorlStore
import WhorlTelemetry

/// Measures the cost of compressing events and writing them in batches to a private Postgres.
///
/// It also measures other forms of stored payloads.
enum Storing {
    /// The name and the value of each measurement.
    static func measure() async throws -> [(name: String, value: Double)] {
        let folder = "/tmp/whorl-micro-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let cluster = try await PrivateCluster.locate(dataDirectory: folder)
        try await cluster.start(deadline: .now + .seconds(60))
        do {
            let measures = try await measure(cluster)
            try await cluster.stop(deadline: .now + .seconds(20))
            return measures
        } catch {
            try? await cluster.stop(deadline: .now + .seconds(20))
            throw error
        }
    }

    private static func measure(_ cluster: PrivateCluster) async throws -> [(name: String, value: Double)] {
        let connection = try await PostgresConnection.connect(cluster.url, deadline: .now + .seconds(10))
        try await schemaMigrator.migrate(connection, deadline: .now + .seconds(60))
        // A project needs this row before it can have issues.
        try await connection.script("INSERT INTO project_counter (project_id) VALUES (1)", deadline: .now + .seconds(5))
        await connection.close()
        var logger = Logger(label: "micro")
        logger.logLevel = .error
        let pool = PostgresPool(
            url: cluster.url,
            configuration: .init(timeout: .seconds(20)),
            logger: logger,
            metrics: PostgresMetrics(registry: MetricsRegistry())
        )
        let running = Task { try await pool.run() }
        defer { running.cancel() }
        try await Partitions(pool: pool).createAhead(of: Date())
        let batches = try await batches(pool, cluster, logger)
        let forms = try await PayloadForms(pool: pool, cluster: cluster).measure()
        await pool.close()
        return batches + forms
    }

    private static func batches(
        _ pool: PostgresPool,
        _ cluster: PrivateCluster,
        _ logger: Logger
    ) async throws -> [(name: String, value: Double)] {
        let codec = try PayloadCodec(pool: pool)
        var configuration = EventWriter.Configuration()
        configuration.batchEvents = 100
        configuration.payloadsPerMinute = 1_000_000
        let writer = EventWriter(pool: pool, configuration: configuration, logger: logger, registry: MetricsRegistry())
        writer.open()
        let writing = Task { try await writer.run() }
        defer { writing.cancel() }
        func prepared(_ number: Int) throws -> PreparedEvent {
            let context = EventContext(projectID: 1, eventID: .random(), receivedAt: Date())
            let bytes = Array(EventSamples.typical(issue: number % 100).utf8)
            return PreparedEvent(try EventPipeline.reprocess(bytes[...], context), codec)
        }
        var costs: [(own: Double, server: Double)] = []
        for round in 0..<6 {
            let events = try (0..<1_000).map(prepared)
            let own = cpuSeconds()
            let server = ProcessUsage.postgres(in: cluster.directory).map(ProcessUsage.cpuSeconds).reduce(0, +)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for event in events { group.addTask { _ = try await writer.submit(event) } }
                try await group.waitForAll()
            }
            // The first round creates the issues.
            guard round > 0 else { continue }
            let after = ProcessUsage.postgres(in: cluster.directory).map(ProcessUsage.cpuSeconds).reduce(0, +)
            costs.append(((cpuSeconds() - own) * 1e3, (after - server) * 1e3))
        }
        return [
            ("batch write, collector", costs.map(\.own).sorted()[costs.count / 2]),
            ("batch write, Postgres", costs.map(\.server).sorted()[costs.count / 2]),
        ]
    }
}
