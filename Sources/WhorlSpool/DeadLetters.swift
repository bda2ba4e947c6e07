import Foundation
import GRDB

/// The dead letters of a spool, for the command that lists, retries and drops them; a collector may run meanwhile.
package struct DeadLetters: Sendable {
    /// One event that could not be stored.
    package struct Letter: Sendable {
        package let id: Int64
        package let projectID: Int
        /// 32 lower-case hexadecimal digits.
        package let eventID: String
        package let reason: String
        /// Bytes of the compressed payload.
        package let bytes: Int
        package let receivedAt: Date
        package let buriedAt: Date
    }

    private let file: SpoolFile

    /// Opens the spool of a directory; throws when there is none.
    package init(directory: String) throws {
        let path = directory + "/" + SpoolFile.name
        guard FileManager.default.fileExists(atPath: path) else {
            throw SpoolError.unusable("there is no spool in \(directory)")
        }
        file = try SpoolFile(path: path)
    }

    /// How much the spool holds.
    package func totals() throws -> SpoolTotals { try file.queue.read(SpoolFile.totals) }

    /// The letters, oldest first, at most so many.
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
                    buriedAt: Date(timeIntervalSince1970: Double(row["buried_at"] as Int64) / 1_000_000)
                )
            }
        }
    }

    /// Puts a letter, or all of them, back into the queue; returns how many.
    package func retry(_ id: Int64?) throws -> Int {
        try file.queue.write { database in
            // No id is negative: one that is absent means all.
            let one = id ?? -1
            let chosen = "(? = -1 OR id = ?)"
            try database.execute(
                sql: """
                    INSERT INTO record (version, project_id, key_id, event_id, received_at, sent_at, client_address,
                        sdk, notes, codec, payload, checksum)
                    SELECT version, project_id, key_id, event_id, received_at, sent_at, client_address, sdk, notes,
                        codec, payload, checksum
                    FROM dead_letter WHERE \(chosen)
                    ON CONFLICT (project_id, event_id) DO NOTHING
                    """,
                arguments: [one, one]
            )
            try database.execute(sql: "DELETE FROM dead_letter WHERE \(chosen)", arguments: [one, one])
            return database.changesCount
        }
    }

    /// Deletes a letter, or all of them, for good; returns how many.
    package func drop(_ id: Int64?) throws -> Int {
        try file.queue.write { database in
            if let id {
                try database.execute(sql: "DELETE FROM dead_letter WHERE id = ?", arguments: [id])
            } else {
                try database.execute(sql: "DELETE FROM dead_letter")
            }
            return database.changesCount
        }
    }
}
