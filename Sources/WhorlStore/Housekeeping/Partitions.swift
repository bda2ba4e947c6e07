import Foundation
import WhorlPostgres

/// The day partitions of the event table.
package struct Partitions: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Makes the partitions of yesterday to the day after tomorrow.
    package func createAhead(of now: Date) async throws {
        let today = PostgresDay(now)
        try await create(for: Set((-1...2).map { today.advanced(by: $0) }))
    }

    /// Makes the partitions of these days where they are missing.
    ///
    /// A table is made first and attached then: attaching does not stop readers and writers of the other days.
    package func create(for days: Set<PostgresDay>) async throws {
        for day in days.sorted() {
            let name = Self.name(of: day)
            let from = Self.text(day)
            let to = Self.text(day.advanced(by: 1))
            try await pool.transaction("create_partition", timeout: .seconds(10)) { connection, deadline in
                try await connection.script("SELECT pg_advisory_xact_lock(\(Self.lock))", deadline: deadline)
                let found = try await connection.execute(
                    PartitionStatements.find,
                    [name.postgresValue],
                    deadline: deadline
                )
                guard found.isEmpty else { return }
                // The names are made of digits of our own, not of input.
                try await connection.script(
                    """
                    CREATE TABLE \(name) (LIKE event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE
                        INCLUDING INDEXES);
                    ALTER TABLE event ATTACH PARTITION \(name) FOR VALUES FROM ('\(from)') TO ('\(to)')
                    """,
                    deadline: deadline
                )
            }
        }
    }

    /// Drops the partitions of days before this one and returns how many there were.
    package func drop(before day: PostgresDay) async throws -> Int {
        let first = Self.name(of: day)
        var dropped = 0
        for row in try await pool.execute(PartitionStatements.list) {
            let name = try row.read("name", as: String.self)
            guard name < first, name.hasPrefix("event_"), name.dropFirst(6).allSatisfy(\.isNumber) else { continue }
            try await pool.transaction("drop_partition", timeout: .seconds(10)) { connection, deadline in
                try await connection.script("SELECT pg_advisory_xact_lock(\(Self.lock))", deadline: deadline)
                // Behind a long reader the lock would hold up every writer; then it is tried again later.
                try await connection.script("SET LOCAL lock_timeout = '300ms'", deadline: deadline)
                try await connection.script("DROP TABLE IF EXISTS \(name)", deadline: deadline)
            }
            dropped += 1
        }
        return dropped
    }

    /// The advisory lock of partitions: one more than that of migrations.
    private static let lock = 0x77_686F_726D

    private static func name(of day: PostgresDay) -> String { "event_" + text(day).filter(\.isNumber) }

    private static func text(_ day: PostgresDay) -> String {
        day.start.formatted(.iso8601.year().month().day())
    }
}

enum PartitionStatements {
    static let all = [find, list]

    static let find = PostgresStatement(
        "create_partition",
        "SELECT 1 AS one FROM pg_class WHERE oid = to_regclass($1)",
        [.text]
    )

    static let list = PostgresStatement(
        "drop_partition",
        """
        SELECT c.relname AS name
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'event'::regclass
        ORDER BY 1
        """
    )
}
