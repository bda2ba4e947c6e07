import Foundation
import GRDB
import Logging

/// Opens the file of a spool; sets a damaged file aside and copies its readable records into a new one.
struct SpoolRecovery {
    let directory: String
    let logger: Logger
    let metrics: SpoolMetrics

    private var path: String { directory + "/" + SpoolFile.name }

    /// The name of a file that is set aside and not completely searched yet; afterwards it is renamed to ``asideName``.
    private static let searchedName = "salvaging"
    private static let asideName = "damaged"
    /// The number of record ids that are salvaged in one commit.
    private static let step = 200

    func open() throws -> SpoolFile {
        do {
            let file = try SpoolFile(path: path)
            try file.queue.read(Self.check)
            try salvageAll(into: file)
            return file
        } catch let error as DatabaseError where Self.meansDamage(error) {
            logger.error("spool file is damaged and set aside", metadata: ["error": "\(error)"])
            try setAside(path, Self.searchedName)
            metrics.damagedFiles.increment()
            let file = try SpoolFile(path: path)
            try salvageAll(into: file)
            return file
        }
    }

    private static func meansDamage(_ error: DatabaseError) -> Bool {
        [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
    }

    private static func check(_ database: Database) throws {
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
    }

    /// Renames a file together with its log files.
    @discardableResult
    private func setAside(_ file: String, _ name: String) throws -> String {
        var number = 1
        var aside = directory + "/\(name)-\(number).sqlite"
        while FileManager.default.fileExists(atPath: aside) {
            number += 1
            aside = directory + "/\(name)-\(number).sqlite"
        }
        // The files have both names until all of them have the new one, so that a crash in between leaves nothing
        // half-moved. SQLite ignores a log without a database file.
        let suffixes = ["", "-wal", "-shm"].filter { FileManager.default.fileExists(atPath: file + $0) }
        for suffix in suffixes.reversed() {
            do {
                try FileManager.default.linkItem(atPath: file + suffix, toPath: aside + suffix)
            } catch {
                // The file system does not support hard links.
                try? FileManager.default.removeItem(atPath: aside + suffix)
                try FileManager.default.copyItem(atPath: file + suffix, toPath: aside + suffix)
            }
        }
        for suffix in suffixes { try FileManager.default.removeItem(atPath: file + suffix) }
        return aside
    }

    /// Salvages the files that were set aside, now or by an earlier process that did not finish.
    private func salvageAll(into file: SpoolFile) throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names.sorted() where name.hasPrefix(Self.searchedName + "-") && name.hasSuffix(".sqlite") {
            let path = directory + "/" + name
            let (saved, lost) = try salvage(path, into: file)
            let aside = try setAside(path, Self.asideName)
            logger.error(
                "damaged spool file searched",
                metadata: ["spool.file": "\(aside)", "spool.saved": "\(saved)", "spool.unreadable": "\(lost)"]
            )
        }
    }

    /// Copies each readable record and dead letter; the others remain in the file that was set aside.
    ///
    /// Throws when the new file cannot be written; a repetition copies nothing twice.
    private func salvage(_ aside: String, into file: SpoolFile) throws -> (saved: Int, lost: Int) {
        var configuration = Configuration()
        configuration.readonly = true
        let damaged: DatabaseQueue
        do {
            damaged = try DatabaseQueue(path: aside, configuration: configuration)
        } catch let error as DatabaseError where Self.meansDamage(error) {
            // The file is not a database, so nothing can be read from it.
            return (0, 0)
        }
        let records = try salvage("record", of: damaged, into: file) { try SpoolFile.insert($0, into: $1) }
        let letters = try salvage("dead_letter", of: damaged, into: file) { record, database in
            let reason = "was a dead letter of a damaged file"
            try SpoolFile.deadLetter(record, reason: reason, at: record.receivedAt, database)
        }
        return (records.saved + letters.saved, records.lost + letters.lost)
    }

    private func salvage(
        _ table: String,
        of damaged: DatabaseQueue,
        into file: SpoolFile,
        _ insert: (SpoolRecord, Database) throws -> Void
    ) throws -> (saved: Int, lost: Int) {
        // Each end is found by a scan that may fail at a damaged page, so the two are looked up separately.
        let low = lookup(damaged, "SELECT id FROM \(table) ORDER BY id LIMIT 1") ?? 1
        let high =
            lookup(damaged, "SELECT seq FROM sqlite_sequence WHERE name = 'record'")
            ?? lookup(damaged, "SELECT id FROM \(table) ORDER BY id DESC LIMIT 1") ?? 0
        guard low <= high, high - low < 50_000_000 else { return (0, 0) }
        var saved = 0
        var lost = 0
        for start in stride(from: low, through: high, by: Self.step) {
            var readable: [SpoolRecord] = []
            for id in start...min(start + Int64(Self.step) - 1, high) {
                do {
                    let row = try damaged.read {
                        try StoredRecord.fetchOne($0, sql: "SELECT * FROM \(table) WHERE id = ?", arguments: [id])
                    }
                    if let row { readable.append(try row.verified()) }
                } catch {
                    lost += 1
                }
            }
            try file.queue.write { database in
                for record in readable { try insert(record, database) }
            }
            saved += readable.count
        }
        return (saved, lost)
    }

    private func lookup(_ queue: DatabaseQueue, _ statement: String) -> Int64? {
        (try? queue.read { try Int64.fetchOne($0, sql: statement) }) ?? nil
    }
}
