import CWhorlPostgres
import Foundation

/// A numbered change of the schema, which is never edited after its release.
package struct Migration: Sendable {
    package let number: Int
    package let name: String
    package let sql: String

    package init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }

    /// A checksum of the text (FNV-1a, 64 bit): it must detect an edit, but does not resist an attacker.
    package var checksum: Int { Int(Int64(bitPattern: fnv1a(sql))) }
}

/// Migrates a database to the schema of this program.
///
/// Each migration runs in its own transaction, and all of them hold one advisory lock, so that several collectors may
/// start at the same time. The start fails when the database is newer than the program or its applied migrations differ
/// from the released ones.
package struct Migrator: Sendable {
    /// The schema numbers of a database and of this program.
    package struct Status: Sendable, Equatable {
        package let applied: Int
        package let known: Int
        package var isCurrent: Bool { applied == known }
    }

    package let migrations: [Migration]

    package init(migrations: [Migration]) { self.migrations = migrations }

    /// The key of the advisory lock for migrations: "whorl" in ASCII.
    private static let lock = 0x77_686F_726C

    private static let createTable = """
        CREATE TABLE IF NOT EXISTS schema_migration (
            number     int PRIMARY KEY,
            name       text NOT NULL,
            checksum   int8 NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """

    private static let find = PostgresStatement(
        "migrate",
        "SELECT to_regclass('schema_migration') IS NOT NULL AS present"
    )
    private static let list = PostgresStatement(
        "migrate",
        "SELECT number, name, checksum FROM schema_migration ORDER BY number"
    )
    private static let record = PostgresStatement(
        "migrate",
        "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)",
        [.int4, .text, .int8]
    )

    /// Applies missing migrations and returns the schema number; waits for another migrator until the deadline.
    @discardableResult
    package func migrate(_ connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws -> Int {
        try await connection.script("SELECT pg_advisory_lock(\(Self.lock))", deadline: deadline)
        do {
            try await connection.script(Self.createTable, deadline: deadline)
            let applied = try await verified(connection, deadline: deadline)
            for migration in migrations where migration.number > applied {
                try await connection.transaction(deadline: deadline) { connection in
                    try await connection.script(migration.sql, deadline: deadline)
                    _ = try await connection.execute(
                        Self.record,
                        [
                            Int32(migration.number).postgresValue, migration.name.postgresValue,
                            migration.checksum.postgresValue,
                        ],
                        deadline: deadline
                    )
                }
            }
        } catch {
            _ = try? await connection.script("SELECT pg_advisory_unlock(\(Self.lock))", deadline: deadline)
            throw error
        }
        try await connection.script("SELECT pg_advisory_unlock(\(Self.lock))", deadline: deadline)
        return migrations.last?.number ?? 0
    }

    /// The schema status of the database, which is not changed; throws when it is newer or has edited migrations.
    package func status(
        _ connection: PostgresConnection,
        deadline: ContinuousClock.Instant
    ) async throws -> Status {
        let known = migrations.last?.number ?? 0
        let found = try await connection.execute(Self.find, deadline: deadline)
        guard try found.first?.read("present", as: Bool.self) == true else {
            return Status(applied: 0, known: known)
        }
        return Status(applied: try await verified(connection, deadline: deadline), known: known)
    }

    private func verified(_ connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws -> Int {
        var applied = 0
        for row in try await connection.execute(Self.list, deadline: deadline) {
            let number = try row.read("number", as: Int.self)
            let name = try row.read("name", as: String.self)
            guard let migration = migrations.first(where: { $0.number == number }) else {
                throw PostgresError(
                    .other,
                    "the database has migration \(number) (\(name)), which this program does not know: "
                        + "it was created by a newer version of the program; start that version"
                )
            }
            guard try row.read("checksum", as: Int.self) == migration.checksum else {
                throw PostgresError(
                    .other,
                    "migration \(number) (\(name)) was applied with a text that differs from the one in this program"
                )
            }
            applied = number
        }
        return applied
    }
}
