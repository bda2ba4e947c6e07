import Foundation
import Logging
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProtocol
import WhorlStore
import WhorlTelemetry
import WhorlTestSupport

@Suite("Deletion", .serialized)
struct DeletionTests {
    private static let marker = "Quokka7Wombat"

    @Test("Data of a deleted project and a deleted issue is in no file of the database or the collector")
    func marker() async throws {
        let cluster = try await PrivateCluster.locate(dataDirectory: try temporaryDirectory("cluster"))
        try await cluster.start(deadline: .now + .seconds(120))
        do {
            try await withCollector(databaseURL: cluster.url) { collector in
                try await check(collector, cluster)
            }
        } catch {
            try? await cluster.stop(deadline: .now + .seconds(20))
            throw error
        }
        try await cluster.stop(deadline: .now + .seconds(20))
    }

    private func check(_ collector: TestCollector, _ cluster: PrivateCluster) async throws {
        let http = collector.http
        let made = try await http.send("POST", "/api/0/organizations/acme/projects/", json: ["name": "gone"]).json()
        let slug = try #require(made["slug"]?.string)
        let number = try #require(made["id"]?.string)
        let keys = try await http.get("/api/0/projects/acme/\(slug)/keys/").json()
        let key = try #require(keys.array?.first?["public"]?.string)

        let isKnown = try await eventually { try await send(http, number, key, 0) == 200 }
        #expect(isKnown)
        for index in 1..<40 { #expect(try await send(http, number, key, index) == 200) }
        for index in 0..<40 { #expect(try await send(http, "1", TestCollector.publicKey, index) == 200) }
        // Events that waited in the spool leave data in its files.
        try await cluster.stop(deadline: .now + .seconds(30))
        for index in 40..<80 { #expect(try await send(http, number, key, index) == 200) }
        #expect(try !holds(collector.dataDirectory).isEmpty)
        try await cluster.start(deadline: .now + .seconds(60))
        let connection = try await PostgresConnection.connect(cluster.url, deadline: .now + .seconds(20))
        let areStored = try await eventually(within: .seconds(60)) { try await count(connection) == 120 }
        #expect(areStored)
        let isEmpty = try await eventually { try await collector.metric("whorl_spool_records") == 0 }
        #expect(isEmpty)
        let before = try await vacuumed(connection, cluster)
        #expect(!before.isEmpty)

        try await connection.script(
            """
            UPDATE project SET deleted_at = now() - interval '2 hours' WHERE id = \(number);
            UPDATE configuration SET version = version + 1
            """,
            deadline: .now + .seconds(10)
        )
        let listed = try await http.get("/api/0/projects/acme/web/issues/")
        #expect(listed.status == 200, "\(listed.text)")
        let issues = try listed.json()
        for issue in issues.array ?? [] {
            let id = issue["id"]?.string ?? ""
            #expect(try await http.send("DELETE", "/api/0/organizations/acme/issues/\(id)/").status == 204)
        }
        try await retention(cluster.url)
        let left = try await count(connection)
        #expect(left == 0, "\(issues.array?.count ?? -1) issues were deleted")
        let after = try await vacuumed(connection, cluster)
        #expect(after.isEmpty)
        for path in after {
            let number = path.split(separator: "/").last ?? ""
            let rows = try await connection.script(
                "SELECT relname::text FROM pg_class WHERE relfilenode::text = '\(number)'",
                deadline: .now + .seconds(10)
            )
            Issue.record("\(try rows.map { try $0.read("relname", as: String.self) }) contains the marker")
        }
        await collector.program.stop()
        #expect(try holds(collector.dataDirectory).isEmpty)
        await connection.close()
    }

    /// Sends an event that contains the marker in every text field.
    private func send(_ http: TestHTTP, _ project: String, _ key: String, _ index: Int) async throws -> Int {
        let text = JSON.string("\(Self.marker) \(index)")
        let name = Self.marker
        // Releases and environments belong to the project and remain when an issue is deleted.
        let (release, environment) = project == "1" ? ("shop@1.0", "production") : ("\(name) \(index)", name)
        let event: JSON = [
            "message": text, "transaction": text, "release": .string(release), "environment": .string(environment),
            "logger": text,
            "sdk": ["name": .string(name), "version": "1"],
            "server_name": text, "tags": .object([(name, text)]), "extra": .object([(name, text)]),
            "user": ["id": text, "email": .string("\(name)\(index)@example.org")],
            "contexts": .object([(name, .object([(name, text)]))]),
            "breadcrumbs": ["values": [["message": text]]],
            "exception": [
                "values": [
                    [
                        "type": .string(name), "value": text,
                        "stacktrace": [
                            "frames": [
                                [
                                    "function": .string("\(name)\(index)"), "filename": text,
                                    "vars": .object([(name, text)]),
                                ]
                            ]
                        ],
                    ]
                ]
            ],
        ]
        return try await http.send("POST", "/api/\(project)/store/?sentry_key=\(key)", body: event.encoded()).status
    }

    private func count(_ connection: PostgresConnection) async throws -> Int {
        let statement = PostgresStatement("test", "SELECT count(*) AS n FROM event")
        return try await connection.execute(statement, deadline: .now + .seconds(10)).first?.read("n") ?? -1
    }

    /// Runs the retention job now instead of waiting for its hourly run.
    private func retention(_ url: String) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let registry = MetricsRegistry()
        let pool = PostgresPool(
            url: url,
            configuration: .init(timeout: .seconds(10)),
            logger: logger,
            metrics: PostgresMetrics(registry: registry)
        )
        let running = Task { try await pool.run() }
        defer { running.cancel() }
        let retention = Retention(pool: pool, days: 90, logger: logger, registry: registry)
        // The second run completes the deletions that the first one prepared.
        for _ in 0..<2 { try await retention.runOnce(now: Date()) }
        await pool.close()
    }

    /// Rewrites every table, and returns the database files that contain the marker.
    ///
    /// The write-ahead log is excluded, because Postgres overwrites it on its own.
    private func vacuumed(_ connection: PostgresConnection, _ cluster: PrivateCluster) async throws -> [String] {
        try await connection.script("VACUUM FULL", deadline: .now + .seconds(120))
        try await connection.script("CHECKPOINT", deadline: .now + .seconds(60))
        return try holds(cluster.directory, leavingOut: "pg_wal")
    }

    private func holds(_ directory: String, leavingOut: String = "/") throws -> [String] {
        let wanted = Data(Self.marker.utf8)
        return try FileManager.default.subpathsOfDirectory(atPath: directory)
            .filter { path in
                guard !path.hasPrefix(leavingOut),
                    let content = FileManager.default.contents(atPath: directory + "/" + path)
                else { return false }
                return content.range(of: wanted) != nil
            }
    }
}
