import DequeModule
import Foundation
import GRDB
import Logging
import WhorlTelemetry
import WhorlThreads

/// The durable queue that stores events while the database is unavailable.
///
/// ``append(_:isOnlyProject:)`` returns when the event is synced to disk; records that arrive together are committed
/// together. One process owns a directory. A full spool rejects new events and never drops accepted ones.
package actor Spool {
    /// The limits of a spool.
    package struct Limits: Sendable {
        /// The maximum size of records and dead letters.
        package var bytes = 1 << 30
        /// The maximum age of the oldest record; beyond it, the spool counts as full.
        package var age = Duration.seconds(7 * 86_400)

        package init() {}
    }

    /// A record with its position in the queue.
    package struct Entry: Sendable {
        package let id: Int64
        package let record: SpoolRecord
    }

    /// A record that waits for the disk.
    private struct Waiting {
        let record: SpoolRecord
        /// Nil for the caller that commits next.
        var answer: CheckedContinuation<Turn, Never>?

        var bytes: Int { record.payload.count + SpoolFile.overhead }
    }

    /// The next step for a caller of ``append(_:isOnlyProject:)``.
    private enum Turn: Sendable {
        /// Commit the waiting records, including its own.
        case commit
        /// Another caller committed the record or failed to do so.
        case ended(Result<Void, any Error>)
    }

    /// The time for which dead letters are kept for inspection.
    package static let letterAge = Duration.seconds(30 * 86_400)

    private nonisolated let executor = ThreadExecutor(name: "spool")
    /// The actor has its own thread, since opening and checking a file may take seconds.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let maxBatch = 500
    /// The maximum number and size of the records that wait in memory for the disk, which may hang.
    private static let maxWaiting = 10_000
    private static let maxWaitingBytes = 32 << 20
    /// The free space below which the spool counts as full; most events compress to a quarter of it.
    private static let usualRecord = 32 << 10

    private let directory: String
    private let limits: Limits
    private let logger: Logger
    private let metrics: SpoolMetrics
    private let ownership: SpoolOwnership
    private var file: SpoolFile?
    private var totals = SpoolTotals()
    /// The size of each project's records: increased as records arrive and reread regularly, since others remove
    /// records.
    private var projectBytes: [Int: Int] = [:]
    private var waiting: Deque<Waiting> = []
    private var waitingBytes = 0
    /// The records that are being written to disk.
    private var committing: [Waiting] = []
    private var isCommitting = false
    /// The reason why the last write failed; nil while the file is writable.
    private var failure: String?
    /// The delay before a file that failed is opened and checked again.
    private var backoff = Backoff(first: .seconds(1), longest: .seconds(30))

    /// Opens or creates the spool of a directory; throws when another process owns it.
    package init(directory: String, limits: Limits = Limits(), logger: Logger, registry: MetricsRegistry) throws {
        self.directory = directory
        self.limits = limits
        self.logger = logger
        metrics = SpoolMetrics(registry: registry, capacity: limits.bytes)
        try? FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        ownership = try SpoolOwnership(directory: directory)
        // A file that cannot be opened now is opened by a later attempt.
        do {
            let opened = try SpoolRecovery(directory: directory, logger: logger, metrics: metrics).open()
            file = opened
            totals = try opened.queue.read(SpoolFile.totals)
            projectBytes = try opened.queue.read(SpoolFile.projectTotals)
        } catch {
            failure = "\(error)"
            logger.error("spool cannot be opened", metadata: ["error": "\(error)"])
        }
        metrics.report(totals)
    }

    /// The number and size of the records.
    package var held: SpoolTotals { totals }

    /// Whether an event could be appended now, at least for a project with few records.
    package var canAppend: Bool { failure == nil && hasRoom(for: Self.usualRecord) }

    private func hasRoom(for bytes: Int) -> Bool {
        guard totals.bytes + waitingBytes + bytes <= limits.bytes else { return false }
        guard let oldest = totals.oldest else { return true }
        return .microseconds(Self.now() - oldest) <= limits.age
    }

    /// Whether a project may add `bytes` bytes.
    ///
    /// An eighth of the spool is reserved for projects that occupy less than half of it, so that a flood from one
    /// project leaves room for the others.
    private func hasShare(for bytes: Int, of project: Int) -> Bool {
        projectBytes[project, default: 0] + bytes <= limits.bytes / 2
            || totals.bytes + waitingBytes + bytes <= limits.bytes - limits.bytes / 8
    }

    /// Adds bytes to the size of a project; throws ``SpoolError/full`` when `isAllowed` is false or there is no room.
    private func reserve(_ bytes: Int, of project: Int, _ isAllowed: Bool) throws {
        guard isAllowed, hasRoom(for: bytes) else {
            metrics.refused.increment()
            throw SpoolError.full
        }
        projectBytes[project, default: 0] += bytes
    }

    // MARK: - In

    /// Appends an event; when it returns, the event is on disk.
    ///
    /// An event that is already queued is not stored twice. If there is only one project, it may use the whole spool.
    package func append(_ record: SpoolRecord, isOnlyProject: Bool = false) async throws {
        let size = record.payload.count + SpoolFile.overhead
        let canWait = waiting.count < Self.maxWaiting && waitingBytes + size <= Self.maxWaitingBytes
        try reserve(size, of: record.projectID, canWait && (isOnlyProject || hasShare(for: size, of: record.projectID)))
        waitingBytes += size
        switch await takeTurn(record) {
        case .commit: try await commitBatch()
        case .ended(let result): try result.get()
        }
    }

    /// Lets the first caller commit at once; callers that arrive meanwhile wait, and one of them commits the next
    /// batch.
    private func takeTurn(_ record: SpoolRecord) async -> Turn {
        if isCommitting {
            return await withCheckedContinuation { waiting.append(Waiting(record: record, answer: $0)) }
        }
        isCommitting = true
        waiting.append(Waiting(record: record))
        return .commit
    }

    /// Commits the waiting records, the caller's first, and lets the next caller commit.
    private func commitBatch() async throws {
        let batch = Array(waiting.prefix(Self.maxBatch))
        waiting.removeFirst(batch.count)
        committing = batch
        let result: Result<Void, any Error>
        do {
            try await write { database in
                for entry in batch { try SpoolFile.insert(entry.record, into: database) }
            }
            result = .success(())
        } catch {
            metrics.writeErrors.increment()
            result = .failure(error)
        }
        committing = []
        if case .failure = result, Task.isCancelled {
            // Only the caller was cancelled: the records of the others go into the next batch.
            waiting.insert(contentsOf: batch.dropFirst(), at: 0)
            waitingBytes -= batch[0].bytes
        } else {
            for entry in batch { entry.answer?.resume(returning: .ended(result)) }
            waitingBytes -= batch.reduce(0) { $0 + $1.bytes }
        }
        passTurn()
        try result.get()
    }

    private func passTurn() {
        guard !waiting.isEmpty else {
            isCommitting = false
            return
        }
        let next = waiting[0].answer
        waiting[0].answer = nil
        next?.resume(returning: .commit)
    }

    // MARK: - Out

    /// The total size of compressed payloads at which a read ends; the record that reaches it is included.
    private static let maxReadBytes = 4 << 20

    /// The oldest records, at most `count`, and fewer when they are large; damaged ones become dead letters.
    package func oldest(_ count: Int) async throws -> [Entry] {
        let rows = try await write { database in
            let cursor = try StoredRecord.fetchCursor(
                database,
                sql: "SELECT * FROM record ORDER BY id LIMIT ?",
                arguments: [count]
            )
            var rows: [StoredRecord] = []
            var bytes = 0
            while bytes < Self.maxReadBytes, let row = try cursor.next() {
                bytes += row.payloadBytes
                rows.append(row)
            }
            return rows
        }
        var entries: [Entry] = []
        for row in rows {
            do {
                entries.append(Entry(id: row.id, record: try row.verified()))
            } catch {
                try await deadLetter(row.id, reason: "\(error)")
            }
        }
        return entries
    }

    /// Removes records that are stored in the database.
    package func remove(_ ids: [Int64]) async throws {
        guard !ids.isEmpty else { return }
        let read = try await write { database in
            for id in ids { try database.execute(sql: "DELETE FROM record WHERE id = ?", arguments: [id]) }
            return try SpoolFile.projectTotals(database)
        }
        count(read)
        metrics.replayed.increment(by: ids.count)
        // The removal succeeds even when the disk space cannot be freed now.
        if totals.records == 0 { try? await shrink() }
    }

    /// Moves a record that can never be stored to the dead letters, with the reason.
    package func deadLetter(_ id: Int64, reason: String) async throws {
        try await write { try SpoolFile.deadLetter(id, reason: reason, at: Self.now(), $0) }
        noteDeadLetter(id, reason)
    }

    /// Stores an event directly as a dead letter, because the database answers and rejects it.
    package func deadLetter(_ record: SpoolRecord, reason: String) async throws {
        let size = record.payload.count + SpoolFile.overhead
        try reserve(size, of: record.projectID, hasShare(for: size, of: record.projectID))
        let id = try await write { try SpoolFile.deadLetter(record, reason: reason, at: Self.now(), $0) }
        if let id { noteDeadLetter(id, reason) }
    }

    private func noteDeadLetter(_ id: Int64, _ reason: String) {
        metrics.quarantined.increment()
        logger.error("event set aside as a dead letter", metadata: ["spool.record": "\(id)", "reason": "\(reason)"])
    }

    /// Removes dead letters that are too old and all records of deleted projects; returns the number of removed events.
    ///
    /// `isGone` is called once for each project that has records here.
    package func clean(isGone: @Sendable (Int) async -> Bool) async throws -> Int {
        let projects = try await write { database in
            try Int.fetchAll(
                database,
                sql:
                    "SELECT DISTINCT project_id FROM (SELECT project_id FROM record UNION SELECT project_id FROM dead_letter)"
            )
        }
        var gone: [Int] = []
        for project in projects where await isGone(project) { gone.append(project) }
        let removed = gone
        let oldest = Self.now() - Int64(Self.letterAge / .microseconds(1))
        return try await write { database in
            var count = 0
            try database.execute(sql: "DELETE FROM dead_letter WHERE buried_at < ?", arguments: [oldest])
            count += database.changesCount
            for project in removed {
                for table in ["record", "dead_letter"] {
                    try database.execute(sql: "DELETE FROM \(table) WHERE project_id = ?", arguments: [project])
                    count += database.changesCount
                }
            }
            // Deleted rows must not remain readable in free pages of the file.
            if count > 0 { try database.execute(sql: "PRAGMA incremental_vacuum") }
            return count
        }
    }

    /// Rereads the totals, which a command may have changed, and reopens the file after a failure.
    package func refresh() async {
        // Writes, to find out whether writing works again: the file system may have been full or read-only.
        let (directory, isFailing) = (self.directory, failure != nil)
        let read = try? await write { database in
            // A small write may succeed although there is no room for a record.
            if isFailing, Self.freeBytes(directory) < Self.neededBytes { throw DatabaseError(resultCode: .SQLITE_FULL) }
            try database.execute(sql: "UPDATE total SET records = records")
            return try SpoolFile.projectTotals(database)
        }
        if let read { count(read) }
    }

    /// Sets the size of each project to that of its stored records plus its waiting records.
    ///
    /// A batch that is being written may count twice for a moment.
    private func count(_ read: [Int: Int]) {
        projectBytes = read
        for entry in Array(waiting) + committing {
            projectBytes[entry.record.projectID, default: 0] += entry.bytes
        }
    }

    /// The free disk space that is required after a failure before the spool counts as usable again.
    private static let neededBytes = 1 << 20

    /// The free bytes on the disk of the directory; `Int.max` when they cannot be determined.
    private static func freeBytes(_ directory: String) -> Int {
        var info = statvfs()
        guard statvfs(directory, &info) == 0 else { return .max }
        return Int(clamping: UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize)).partialValue)
    }

    /// Returns the disk space of removed records to the file system.
    private func shrink() async throws {
        guard let file else { return }
        try await file.queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA incremental_vacuum")
            try database.checkpoint(.truncate)
        }
    }

    // MARK: - The file

    /// Runs one transaction, and then reads the totals.
    private func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            let file = try self.file ?? reopened()
            let (value, totals) = try await file.queue.write { database in
                (try body(database), try SpoolFile.totals(database))
            }
            self.totals = totals
            failure = nil
            backoff.succeeded()
            metrics.report(totals)
            return value
        } catch {
            note(error)
            throw SpoolError.unusable("\(error)")
        }
    }

    private func reopened() throws -> SpoolFile {
        // The check reads the whole file, so it must not run for every event of an outage.
        guard backoff.mayTry(at: .now) else { throw SpoolError.unusable(failure ?? "the spool cannot be opened") }
        let opened = try SpoolRecovery(directory: directory, logger: logger, metrics: metrics).open()
        file = opened
        return opened
    }

    private func note(_ error: any Error) {
        if error is CancellationError { return }
        if failure == nil { logger.error("spool failed", metadata: ["error": "\(error)"]) }
        failure = "\(error)"
        // After a failed sync, the same descriptor may report success. So a later attempt reopens the file and checks
        // it for damage. A full disk causes no damage.
        if let code = (error as? DatabaseError)?.resultCode, code != .SQLITE_BUSY, code != .SQLITE_FULL {
            file = nil
        }
        if file == nil { backoff.failed(at: .now) }
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }
}
