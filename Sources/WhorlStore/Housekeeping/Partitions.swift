import Foundation
import WhorlPostgres

/// The day partitions of the event table.
package struct Partitions: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Creates the partitions for yesterday to the day after tomorrow.
    package func createAhead(of now: Date) async throws {
        let today = PostgresDay(now)
        try await create(for: Set((-1...2).map { today.advanced(by: $0) }))
    }

    /// Creates the missing partitions for these days.
    ///
    /// The table is created first and attached afterwards, because attaching does not block readers and writers of the
    /// other days.
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
                // Safe to interpolate: the names consist of digits computed here, not of input.
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

    /// Drops the partitions of days before this one and returns their number.
    package func drop(before day: PostgresDay) async throws -> Int {
        let first = Self.name(of: day)
        var dropped = 0
        for row in try await pool.execute(PartitionStatements.list) {
            let name = try row.read("name", as: String.self)
            guard name < first, name.hasPrefix("event_"), name.dropFirst(6).allSatisfy(\.isNumber) else { continue }
            try await pool.transaction("drop_partition", timeout: .seconds(10)) { connection, deadline in
                try await connection.script("SELECT pg_advisory_xact_lock(\(Self.lock))", deadline: deadline)
                // While the lock waits for a long-running reader, all writers wait behind it. So it times out early and
                // the next run tries again.
                try await connection.script("SET LOCAL lock_timeout = '300ms'", deadline: deadline)
                try await connection.script("DROP TABLE IF EXISTS \(name)", deadline: deadline)
            }
            dropped += 1
        }
        return dropped
    }

    /// The key of the advisory lock for partitions: the key of the migration lock plus one.
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
