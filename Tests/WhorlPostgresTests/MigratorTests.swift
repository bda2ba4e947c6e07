import Testing
import WhorlPostgres
import WhorlTestSupport

@Suite("Migrations")
struct MigratorTests {
    private let first = Migration(number: 1, name: "start", sql: "CREATE TABLE a (x int)")
    private let second = Migration(number: 2, name: "more", sql: "CREATE TABLE b (x int)")

    private func withConnection(_ body: (PostgresConnection, String) async throws -> Void) async throws {
        let url = try await TestCluster.shared.makeDatabase(migrated: false)
        let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
        try await body(connection, url)
        await connection.close()
    }

    @Test("Missing migrations are applied once")
    func applies() async throws {
        try await withConnection { connection, _ in
            let deadline = ContinuousClock.now + .seconds(20)
            #expect(try await Migrator(migrations: [first]).migrate(connection, deadline: deadline) == 1)
            let both = Migrator(migrations: [first, second])
            let status = try await both.status(connection, deadline: deadline)
            #expect(status.applied == 1 && status.known == 2)
            #expect(try await both.migrate(connection, deadline: deadline) == 2)
            #expect(try await both.migrate(connection, deadline: deadline) == 2)
            #expect(try await both.status(connection, deadline: deadline).isCurrent)
        }
    }

    @Test("A failing migration changes nothing")
    func isTransactional() async throws {
        try await withConnection { connection, _ in
            let deadline = ContinuousClock.now + .seconds(20)
            let broken = Migration(number: 2, name: "broken", sql: "CREATE TABLE b (x int); SELECT 1 / 0")
            await #expect(throws: PostgresError.self) {
                try await Migrator(migrations: [first, broken]).migrate(connection, deadline: deadline)
            }
            let applied = try await Migrator(migrations: [first, second]).migrate(connection, deadline: deadline)
            #expect(applied == 2)
        }
    }

    @Test("A schema that is newer than the program, or that was edited, is refused")
    func refuses() async throws {
        try await withConnection { connection, _ in
            let deadline = ContinuousClock.now + .seconds(20)
            try await Migrator(migrations: [first, second]).migrate(connection, deadline: deadline)
            await #expect(throws: PostgresError.self) {
                try await Migrator(migrations: [first]).migrate(connection, deadline: deadline)
            }
            let edited = Migration(number: 2, name: "more", sql: "CREATE TABLE b (y int)")
            await #expect(throws: PostgresError.self) {
                try await Migrator(migrations: [first, edited]).migrate(connection, deadline: deadline)
            }
        }
    }

    @Test("Two concurrent migrators apply each migration once")
    func concurrent() async throws {
        try await withConnection { connection, url in
            let deadline = ContinuousClock.now + .seconds(30)
            let other = try await PostgresConnection.connect(url, deadline: deadline)
            let migrator = Migrator(migrations: [first, second])
            async let one = migrator.migrate(connection, deadline: deadline)
            async let two = migrator.migrate(other, deadline: deadline)
            #expect(try await [one, two] == [2, 2])
            await other.close()
        }
    }
}
