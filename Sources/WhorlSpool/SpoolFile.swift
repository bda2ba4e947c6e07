import Foundation
import GRDB

/// The SQLite file of a spool: its schema and all statements on it.
///
/// It uses `synchronous=FULL` with a write-ahead log: when a write returns, it is synced. Triggers maintain the totals,
/// so that they are correct regardless of the process that writes.
struct SpoolFile: Sendable {
    /// The name of the file in the spool's directory.
    static let name = "spool.sqlite"

    let queue: DatabaseQueue

    init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = FULL")
            // Overwrites deleted data: events of deleted projects must not remain in free pages.
            try database.execute(sql: "PRAGMA secure_delete = ON")
        }
        queue = try DatabaseQueue(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1", migrate: Self.createTables)
        migrator.registerMigration("2") { database in
            // The time when the record was queued, in microseconds of Unix time; a retried dead letter is queued anew.
            try database.execute(sql: "ALTER TABLE record ADD COLUMN queued_at INTEGER")
        }
        migrator.registerMigration("3", migrate: Self.countProjects)
        try migrator.migrate(queue)
    }

    /// The columns that a record and a dead letter share, in the order of ``insert(_:into:)``.
    static let columns = """
        version, project_id, key_id, event_id, received_at, sent_at, client_address, sdk, notes, codec, payload,
        checksum
        """

    private static func createTables(_ database: Database) throws {
        let typed = """
            version INTEGER NOT NULL, project_id INTEGER NOT NULL, key_id INTEGER NOT NULL, event_id BLOB NOT NULL,
            received_at INTEGER NOT NULL, sent_at INTEGER, client_address TEXT, sdk TEXT, notes TEXT,
            codec INTEGER NOT NULL, payload BLOB NOT NULL, checksum INTEGER NOT NULL
            """
        try database.execute(
            sql: """
                CREATE TABLE record (id INTEGER PRIMARY KEY AUTOINCREMENT, \(typed));
                CREATE UNIQUE INDEX record_event ON record (project_id, event_id);
                CREATE TABLE dead_letter (
                    id INTEGER PRIMARY KEY, reason TEXT NOT NULL, buried_at INTEGER NOT NULL, \(typed));
                CREATE TABLE total (records INTEGER NOT NULL, bytes INTEGER NOT NULL, dead_letters INTEGER NOT NULL);
                INSERT INTO total VALUES (0, 0, 0);
                CREATE TRIGGER record_added AFTER INSERT ON record BEGIN
                    UPDATE total SET records = records + 1, bytes = bytes + length(new.payload) + \(overhead);
                END;
                CREATE TRIGGER record_removed AFTER DELETE ON record BEGIN
                    UPDATE total SET records = records - 1, bytes = bytes - length(old.payload) - \(overhead);
                END;
                CREATE TRIGGER letter_added AFTER INSERT ON dead_letter BEGIN
                    UPDATE total SET dead_letters = dead_letters + 1, bytes = bytes + length(new.payload) + \(overhead);
                END;
                CREATE TRIGGER letter_removed AFTER DELETE ON dead_letter BEGIN
                    UPDATE total SET dead_letters = dead_letters - 1, bytes = bytes - length(old.payload) - \(overhead);
                END;
                """
        )
    }

    /// Creates the table of sizes per project, which triggers maintain like the totals.
    private static func countProjects(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE project_total (project_id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
                INSERT INTO project_total
                SELECT project_id, sum(bytes)
                -- Lengths, not payloads: the sorter would copy those to a temporary file.
                FROM (
                    SELECT project_id, length(payload) + \(overhead) AS bytes FROM record
                    UNION ALL
                    SELECT project_id, length(payload) + \(overhead) FROM dead_letter)
                GROUP BY project_id;
                """
        )
        for table in ["record", "dead_letter"] {
            try database.execute(
                sql: """
                    CREATE TRIGGER \(table)_counted AFTER INSERT ON \(table) BEGIN
                        INSERT INTO project_total VALUES (new.project_id, length(new.payload) + \(overhead))
                        ON CONFLICT (project_id) DO UPDATE SET bytes = bytes + excluded.bytes;
                    END;
                    CREATE TRIGGER \(table)_uncounted AFTER DELETE ON \(table) BEGIN
                        UPDATE project_total SET bytes = bytes - length(old.payload) - \(overhead)
                        WHERE project_id = old.project_id;
                        DELETE FROM project_total WHERE project_id = old.project_id AND bytes <= 0;
                    END;
                    """
            )
        }
    }

    /// The size of each project's records and dead letters.
    static func projectTotals(_ database: Database) throws -> [Int: Int] {
        try Row.fetchAll(database, sql: "SELECT project_id, bytes FROM project_total")
            .reduce(into: [:]) { totals, row in totals[try row.undamaged("project_id")] = try row.undamaged("bytes") }
    }

    /// The estimated size of a record without its payload: its other columns and its index entries.
    static let overhead = 300

    // MARK: - Statements

    static func insert(_ record: SpoolRecord, into database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO record (\(columns))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (project_id, event_id) DO NOTHING
                """
        )
        .execute(arguments: [
            SpoolRecord.currentVersion, record.projectID, record.keyID, Data(record.eventID), record.receivedAt,
            record.sentAt, record.clientAddress, record.sdk, record.notes, record.codec, Data(record.payload),
            record.checksum,
        ])
    }

    static func totals(_ database: Database) throws -> SpoolTotals {
        guard let row = try Row.fetchOne(database, sql: "SELECT records, bytes, dead_letters FROM total") else {
            throw SpoolError.unusable("the totals are missing")
        }
        let oldest = try Int64.fetchOne(
            database,
            sql: "SELECT coalesce(queued_at, received_at) FROM record ORDER BY id LIMIT 1"
        )
        return SpoolTotals(
            records: try row.undamaged("records"),
            bytes: try row.undamaged("bytes"),
            deadLetters: try row.undamaged("dead_letters"),
            oldest: oldest
        )
    }

    /// Moves a record to the dead letters.
    static func deadLetter(_ id: Int64, reason: String, at now: Int64, _ database: Database) throws {
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO dead_letter (id, reason, buried_at, \(columns))
                SELECT id, ?, ?, \(columns) FROM record WHERE id = ?
                """,
            arguments: [reason, now, id]
        )
        try database.execute(sql: "DELETE FROM record WHERE id = ?", arguments: [id])
    }

    /// Stores a record directly as a dead letter, unless its event already is one; returns its id.
    @discardableResult
    static func deadLetter(_ record: SpoolRecord, reason: String, at now: Int64, _ database: Database) throws -> Int64?
    {
        let event: StatementArguments = [record.projectID, Data(record.eventID)]
        let isDeadLetter = try Bool.fetchOne(
            database,
            sql: "SELECT EXISTS (SELECT 1 FROM dead_letter WHERE project_id = ? AND event_id = ?)",
            arguments: event
        )
        guard isDeadLetter != true else { return nil }
        try insert(record, into: database)
        let id = try Int64.fetchOne(
            database,
            sql: "SELECT id FROM record WHERE project_id = ? AND event_id = ?",
            arguments: event
        )
        if let id { try deadLetter(id, reason: reason, at: now, database) }
        return id
    }
}

/// The number and size of a spool's records.
package struct SpoolTotals: Sendable, Equatable {
    /// Events that wait for the database.
    package var records = 0
    /// The size of the waiting events and the dead letters.
    package var bytes = 0
    /// Events that the database rejected.
    package var deadLetters = 0
    /// The time when the oldest waiting event arrived or was queued again, in microseconds of Unix time.
    package var oldest: Int64?
}
