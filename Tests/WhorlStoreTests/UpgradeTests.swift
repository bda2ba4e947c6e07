import Foundation
import Testing
import WhorlPostgres
import WhorlProcessing
import WhorlTestSupport

@testable import WhorlStore

@Suite("Upgrade of a database of an earlier version")
struct UpgradeTests {
    @Test("Projects with issues get a grouping transition, and the home of each hash is its current issue")
    func transition() async throws {
        let url = try await TestCluster.shared.makeDatabase(migrated: false)
        let deadline = ContinuousClock.now + .seconds(30)
        let connection = try await PostgresConnection.connect(url, deadline: deadline)
        let first = try #require(schemaMigrator.migrations.first)
        try await Migrator(migrations: [first]).migrate(connection, deadline: deadline)
        try await connection.script(
            """
            INSERT INTO organization (slug, name) VALUES ('o', 'o');
            INSERT INTO project (organization_id, slug, name, settings) VALUES
                (1, 'old', 'old', '{"allowedOrigins":["https://a.example"]}'), (1, 'empty', 'empty', '{}');
            INSERT INTO issue (project_id, id, short_id, level, type, title, culprit, metadata, platform, is_unhandled,
                    first_seen, last_seen, last_seen_bucket)
                VALUES (1, 7, 1, 4, 'error', 't', '', '{}', 'python', false, now(), now(), now());
            INSERT INTO grouping_hash (project_id, id, hash, issue_id) VALUES (1, 3, '\\x00', 7)
            """,
            deadline: deadline
        )
        try await schemaMigrator.migrate(connection, deadline: deadline)
        // A collector of the previous version writes no home issue.
        try await connection.script(
            "INSERT INTO grouping_hash (project_id, id, hash, issue_id) VALUES (1, 4, '\\x01', 7)",
            deadline: deadline
        )
        let homes = try await connection.script(
            "SELECT count(*)::text AS homes FROM grouping_hash WHERE home_issue_id = 7",
            deadline: deadline
        )
        #expect(try homes.first?.read("homes", as: String.self) == "2")
        let rows = try await connection.script("SELECT settings FROM project ORDER BY id", deadline: deadline)
        let settings = try rows.map { ProjectSettings(text: try $0.read("settings")) }
        #expect(settings[0].allowedOrigins == ["https://a.example"])
        #expect(settings[0].grouping.settings(.none).previous == .first)
        #expect(settings[0].grouping.version == .second)
        #expect(settings[1].grouping.settings(.none).previous == nil)
        await connection.close()
    }
}
