import Foundation
import GRDB
import Logging

/// Opens the file of a spool; a damaged one is set aside, and what can still be read of it goes into a new one.
struct SpoolRecovery {
    let directory: String
    let logger: Logger
    let metrics: SpoolMetrics

    private var path: String { directory + "/" + SpoolFile.name }

    func open() throws -> SpoolFile {
        do {
            let file = try SpoolFile(path: path)
            try file.queue.read(Self.check)
            return file
        } catch let error as DatabaseError where Self.meansDamage(error) {
            let aside = try setAside()
            metrics.damagedFiles.increment()
            let file = try SpoolFile(path: path)
            let (saved, lost) = salvage(aside, into: file)
            logger.error(
                "spool file was damaged and set aside",
                metadata: [
                    "spool.file": "\(aside)", "spool.saved": "\(saved)", "spool.unreadable": "\(lost)",
                    "error": "\(error)",
                ]
            )
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

    private func setAside() throws -> String {
        var number = 1
        var aside = directory + "/damaged-\(number).sqlite"
        while FileManager.default.fileExists(atPath: aside) {
            number += 1
            aside = directory + "/damaged-\(number).sqlite"
        }
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.moveItem(atPath: path + suffix, toPath: aside + suffix)
        }
        return aside
    }

    /// Copies each record that can be read; the others stay in the file that was set aside.
    private func salvage(_ aside: String, into file: SpoolFile) -> (saved: Int, lost: Int) {
        var configuration = Configuration()
        configuration.readonly = true
        guard let damaged = try? DatabaseQueue(path: aside, configuration: configuration) else { return (0, 0) }
        var saved = 0
        var lost = 0
        // Both ends by a walk that may break at a damaged page, so each is asked for by itself.
        let low = lookup(damaged, "SELECT id FROM record ORDER BY id LIMIT 1") ?? 1
        let high =
            lookup(damaged, "SELECT seq FROM sqlite_sequence WHERE name = 'record'")
            ?? lookup(damaged, "SELECT id FROM record ORDER BY id DESC LIMIT 1") ?? 0
        guard low <= high, high - low < 50_000_000 else { return (0, 0) }
        for id in low...high {
            do {
                let row = try damaged.read {
                    try StoredRecord.fetchOne($0, sql: "SELECT * FROM record WHERE id = ?", arguments: [id])
                }
                guard let row else { continue }
                let record = try row.verified()
                try file.queue.write { try SpoolFile.insert(record, into: $0) }
                saved += 1
            } catch {
                lost += 1
            }
        }
        return (saved, lost)
    }

    private func lookup(_ queue: DatabaseQueue, _ statement: String) -> Int64? {
        (try? queue.read { try Int64.fetchOne($0, sql: statement) }) ?? nil
    }
}
