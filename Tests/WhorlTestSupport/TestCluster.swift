import Foundation
import Logging
import WhorlPostgres
import WhorlPrivateCluster
import WhorlStore
import WhorlTelemetry

/// A real Postgres cluster for the tests of one process, on a Unix socket; it is removed when the process ends.
package actor TestCluster {
    package static let shared = TestCluster()

    private var started: Task<String, any Error>?
    private var nextDatabase = 0
    private var keeper: Keeper?

    /// Creates a database, with the product's schema if `migrated`, and returns its URL.
    package func makeDatabase(migrated: Bool = true) async throws -> String {
        let maintenance = try await url()
        nextDatabase += 1
        let name = "test_\(nextDatabase)"
        let template = migrated ? "whorl" : "template0"
        let connection = try await PostgresConnection.connect(maintenance, deadline: .now + .seconds(20))
        try await connection.script("CREATE DATABASE \(name) TEMPLATE \(template)", deadline: .now + .seconds(60))
        await connection.close()
        return maintenance.replacingOccurrences(of: "@/postgres?", with: "@/\(name)?")
    }

    /// The URL of the maintenance database.
    private func url() async throws -> String {
        if let started { return try await started.value }
        let task = Task { try await start() }
        started = task
        return try await task.value
    }

    private func start() async throws -> String {
        let directory = try temporaryDirectory("cluster")
        let cluster = try await PrivateCluster.locate(dataDirectory: directory)
        try await cluster.start(deadline: .now + .seconds(120))
        keeper = try Keeper(clusterDirectory: cluster.directory, dataDirectory: directory)
        let connection = try await PostgresConnection.connect(cluster.url, deadline: .now + .seconds(20))
        try await schemaMigrator.migrate(connection, deadline: .now + .seconds(60))
        await connection.close()
        return cluster.url.replacingOccurrences(of: "@/whorl?", with: "@/postgres?")
    }
}

/// Stops and removes the cluster when this process ends for any reason.
///
/// A shell waits for end of file on a pipe whose write end only this process holds.
private final class Keeper {
    private let pipe = Pipe()
    private let process = Process()

    init(clusterDirectory: String, dataDirectory: String) throws {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c",
            """
            trap '' INT TERM
            cat > /dev/null
            pid=$(head -n 1 "$0/postmaster.pid") && kill -QUIT "$pid"
            while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
            rm -rf "$0" "$1"
            """,
            clusterDirectory, dataDirectory,
        ]
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }
}

/// A new directory that every user can enter, so that the Postgres user can reach its contents.
package func temporaryDirectory(_ name: String) throws -> String {
    let path = "/tmp/whorl-test-\(name)-\(UUID().uuidString.prefix(8).lowercased())"
    try FileManager.default.createDirectory(
        atPath: path,
        withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o755]
    )
    return path
}

/// Runs the body with a pool on a new database, and closes the pool afterwards.
package func withPool<Value>(
    configuration: PostgresPoolConfiguration = .init(timeout: .seconds(10)),
    registry: MetricsRegistry = MetricsRegistry(),
    _ body: (PostgresPool, String) async throws -> Value
) async throws -> Value {
    let url = try await TestCluster.shared.makeDatabase()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let pool = PostgresPool(
        url: url,
        configuration: configuration,
        logger: logger,
        metrics: PostgresMetrics(registry: registry)
    )
    let running = Task { try await pool.run() }
    defer { running.cancel() }
    do {
        let value = try await body(pool, url)
        await pool.close()
        return value
    } catch {
        await pool.close()
        throw error
    }
}
