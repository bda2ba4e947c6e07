import Foundation
import GRDB

/// The dead letters of a spool, for the command that lists, retries and drops them while a collector may be running.
package struct DeadLetters: Sendable {
    /// An event that could not be stored.
    package struct Letter: Sendable {
        package let id: Int64
        package let projectID: Int
        /// The event id as 32 lower-case hexadecimal digits.
        package let eventID: String
        package let reason: String
        /// The size of the compressed payload.
        package let bytes: Int
        package let receivedAt: Date
        package let deadLetteredAt: Date
    }

    private let file: SpoolFile

    /// Opens the spool of a directory; throws when it does not exist.
    package init(directory: String) throws {
        let path = directory + "/" + SpoolFile.name
        guard FileManager.default.fileExists(atPath: path) else {
            throw SpoolError.unusable("there is no spool in \(directory)")
        }
        file = try SpoolFile(path: path)
    }

    /// The number and size of the spool's records.
    package func totals() throws -> SpoolTotals { try file.queue.read(SpoolFile.totals) }

    /// The dead letters, oldest first; at most `limit`.
    package func list(limit: Int = 1_000) throws -> [Letter] {
        try file.queue.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT id, project_id, lower(hex(event_id)) AS event_id, reason, length(payload) AS bytes,
                        received_at, buried_at
                    FROM dead_letter ORDER BY id LIMIT ?
                    """,
                arguments: [limit]
            )
            .map { row in
                Letter(
                    id: row["id"],
                    projectID: row["project_id"],
                    eventID: row["event_id"],
                    reason: row["reason"],
                    bytes: row["bytes"],
                    receivedAt: Date(timeIntervalSince1970: Double(row["received_at"] as Int64) / 1_000_000),
                    deadLetteredAt: Date(timeIntervalSince1970: Double(row["buried_at"] as Int64) / 1_000_000)
                )
            }
        }
    }

    /// Moves one dead letter, or all of them, back into the queue; returns their number.
    package func retry(_ id: Int64?) throws -> Int {
        try file.queue.write { database in
            try database.execute(
                sql: """
                    INSERT INTO record (queued_at, \(SpoolFile.columns))
                    SELECT :now, \(SpoolFile.columns) FROM dead_letter WHERE \(Self.chosen)
                    ON CONFLICT (project_id, event_id) DO NOTHING
                    """,
                arguments: ["id": id, "now": Int64(Date().timeIntervalSince1970 * 1_000_000)]
            )
            return try delete(id, database)
        }
    }

    /// Deletes one dead letter, or all of them, permanently; returns their number.
    package func drop(_ id: Int64?) throws -> Int { try file.queue.write { try delete(id, $0) } }

    /// An SQL condition for one dead letter, or for all of them when no id is given.
    private static let chosen = "(:id IS NULL OR id = :id)"

    private func delete(_ id: Int64?, _ database: Database) throws -> Int {
        try database.execute(sql: "DELETE FROM dead_letter WHERE \(Self.chosen)", arguments: ["id": id])
        return database.changesCount
    }
}
