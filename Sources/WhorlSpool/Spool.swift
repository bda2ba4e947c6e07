import DequeModule
import Foundation
import GRDB
import Logging
import WhorlTelemetry
import WhorlThreads

/// The durable queue for when the database is away.
///
/// ``append(_:)`` returns when the event has been synced to the disk; what arrives together is committed together. One
/// process owns a directory. Over its bounds the spool refuses, and never drops what it took.
package actor Spool {
    /// How much a spool may hold.
    package struct Limits: Sendable {
        /// Most bytes of records and dead letters.
        package var bytes = 1 << 30
        /// How old the oldest record may be before the spool counts as full.
        package var age = Duration.seconds(7 * 86_400)

        package init() {}
    }

    /// A record with its place in the queue.
    package struct Entry: Sendable {
        package let id: Int64
        package let record: SpoolRecord
    }

    /// A record that waits for the disk.
    private struct Waiting {
        let record: SpoolRecord
        /// Nil for the caller whose turn it is to commit.
        var answer: CheckedContinuation<Turn, Never>?

        var bytes: Int { record.payload.count + SpoolFile.overhead }
    }

    /// What a caller of ``append(_:isOnlyProject:)`` has to do.
    private enum Turn: Sendable {
        /// Commit the records that wait, its own among them.
        case commit
        /// Another caller committed the record, or could not.
        case ended(Result<Void, any Error>)
    }

    /// How long dead letters are kept for people to look at.
    package static let letterAge = Duration.seconds(30 * 86_400)

    private nonisolated let executor = ThreadExecutor(name: "spool")
    /// Opening and checking a file may take seconds.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let maxBatch = 500
    /// Records and bytes that wait in memory for the disk, which may hang.
    private static let maxWaiting = 10_000
    private static let maxWaitingBytes = 32 << 20
    /// Room for less than this is none: most events compress to a quarter of it.
    private static let usualRecord = 32 << 10

    private let directory: String
    private let limits: Limits
    private let logger: Logger
    private let metrics: SpoolMetrics
    private let ownership: SpoolOwnership
    private var file: SpoolFile?
    private var totals = SpoolTotals()
    /// What each project takes: counted as records come, and read anew now and then, since others remove them.
    private var projectBytes: [Int: Int] = [:]
    private var waiting: Deque<Waiting> = []
    private var waitingBytes = 0
    /// What is being written to the disk.
    private var committing: [Waiting] = []
    private var isCommitting = false
    /// Why the last write failed; nil while the file can be written.
    private var failure: String?
    /// When a file that failed is opened and checked again.
    private var backoff = Backoff(first: .seconds(1), longest: .seconds(30))

    /// Opens the spool of a directory, or makes it; throws when another process owns it.
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

    /// How much it holds.
    package var held: SpoolTotals { totals }

    /// Whether an event could be appended now, at least of a project that holds little.
    package var canAppend: Bool { failure == nil && hasRoom(for: Self.usualRecord) }

    private func hasRoom(for bytes: Int) -> Bool {
        guard totals.bytes + waitingBytes + bytes <= limits.bytes else { return false }
        guard let oldest = totals.oldest else { return true }
        return .microseconds(Self.now() - oldest) <= limits.age
    }

    /// Whether a project may add so many bytes.
    ///
    /// An eighth is kept for projects that hold less than half of the spool: a flood of one leaves room for the others.
    private func hasShare(for bytes: Int, of project: Int) -> Bool {
        projectBytes[project, default: 0] + bytes <= limits.bytes / 2
            || totals.bytes + waitingBytes + bytes <= limits.bytes - limits.bytes / 8
    }

    /// Counts bytes of a project that is allowed them; throws ``SpoolError/full`` where it is not, or there is no room.
    private func reserve(_ bytes: Int, of project: Int, _ isAllowed: Bool) throws {
        guard isAllowed, hasRoom(for: bytes) else {
            metrics.refused.increment()
            throw SpoolError.full
        }
        projectBytes[project, default: 0] += bytes
    }

    // MARK: - In

    /// Keeps one event; when it returns, the event is on the disk.
    ///
    /// An event that waits already is not kept twice. Where there is no other project, its own may take all of the spool.
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

    /// The first caller commits at once; callers that come meanwhile wait, and one of them commits the next batch.
    private func takeTurn(_ record: SpoolRecord) async -> Turn {
        if isCommitting {
            return await withCheckedContinuation { waiting.append(Waiting(record: record, answer: $0)) }
        }
        isCommitting = true
        waiting.append(Waiting(record: record))
        return .commit
    }

    /// Commits the records that wait, the caller's first, and passes the turn on.
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

    /// What the payloads of one reading may come to, compressed; one record more is always read.
    private static let maxReadBytes = 4 << 20

    /// The oldest records, at most so many, and fewer where they are large; damaged ones are set aside on the way.
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

    /// Forgets records that the database has.
    package func remove(_ ids: [Int64]) async throws {
        guard !ids.isEmpty else { return }
        let read = try await write { database in
            for id in ids { try database.execute(sql: "DELETE FROM record WHERE id = ?", arguments: [id]) }
            return try SpoolFile.projectTotals(database)
        }
        count(read)
        metrics.replayed.increment(by: ids.count)
        // That the disk is not given back now is no fault of the removal.
        if totals.records == 0 { try? await shrink() }
    }

    /// Sets a record aside that can never be stored, with the reason.
    package func deadLetter(_ id: Int64, reason: String) async throws {
        try await write { try SpoolFile.deadLetter(id, reason: reason, at: Self.now(), $0) }
        noteDeadLetter(id, reason)
    }

    /// Keeps an event as a dead letter from the start: the database answers, and refuses it.
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

    /// Forgets dead letters that are too old, and all that belongs to projects that are gone; returns how many events
    /// that were.
    ///
    /// `isGone` is asked once for each project that has something here.
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
            // Deleted rows must not stay readable in free pages of the file.
            if count > 0 { try database.execute(sql: "PRAGMA incremental_vacuum") }
            return count
        }
    }

    /// Reads the totals anew, which a command may have changed, and opens the file again after a failure.
    package func refresh() async {
        // A write shows that writing works; the file system may have been full or read-only.
        let (directory, isFailing) = (self.directory, failure != nil)
        let read = try? await write { database in
            // A small write may find room that a record does not.
            if isFailing, Self.freeBytes(directory) < Self.neededBytes { throw DatabaseError(resultCode: .SQLITE_FULL) }
            try database.execute(sql: "UPDATE total SET records = records")
            return try SpoolFile.projectTotals(database)
        }
        if let read { count(read) }
    }

    /// Takes over what each project has on the disk, and adds what waits for it; a batch that is being written may count
    /// twice for a moment.
    private func count(_ read: [Int: Int]) {
        projectBytes = read
        for entry in Array(waiting) + committing {
            projectBytes[entry.record.projectID, default: 0] += entry.bytes
        }
    }

    /// What the disk has to have free after a failure, before the spool counts as usable again.
    private static let neededBytes = 1 << 20

    /// Bytes that the disk of the directory has free; a great many when that cannot be told.
    private static func freeBytes(_ directory: String) -> Int {
        var info = statvfs()
        guard statvfs(directory, &info) == 0 else { return .max }
        return Int(clamping: UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize)).partialValue)
    }

    /// Gives the disk back what the records took.
    private func shrink() async throws {
        guard let file else { return }
        try await file.queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA incremental_vacuum")
            try database.checkpoint(.truncate)
        }
    }

    // MARK: - The file

    /// Runs one transaction, and reads the totals after it.
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
        // The check reads the whole file: it must not run for every event of an outage.
        guard backoff.mayTry(at: .now) else { throw SpoolError.unusable(failure ?? "the spool cannot be opened") }
        let opened = try SpoolRecovery(directory: directory, logger: logger, metrics: metrics).open()
        file = opened
        return opened
    }

    private func note(_ error: any Error) {
        if error is CancellationError { return }
        if failure == nil { logger.error("spool failed", metadata: ["error": "\(error)"]) }
        failure = "\(error)"
        // After a failed sync the same descriptor may say that all is well: a later attempt opens the file anew, and looks
        // whether it is damaged. A full disk damages nothing.
        if let code = (error as? DatabaseError)?.resultCode, code != .SQLITE_BUSY, code != .SQLITE_FULL {
            file = nil
        }
        if file == nil { backoff.failed(at: .now) }
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }
}
