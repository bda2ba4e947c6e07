import Foundation
import GRDB
import Logging
import Testing
import WhorlTelemetry
import WhorlTestSupport

@testable import WhorlSpool

@Suite("Spool") struct SpoolTests {
    @Test("Appended records survive the process, each once and in order")
    func survives() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 { group.addTask { try await spool.append(record(number)) } }
                try await group.waitForAll()
            }
            // A duplicate event is stored once.
            try await spool.append(record(7))
            // The copy has the state after a SIGKILL, without close and checkpoint.
            let copy = directory + "-killed"
            try FileManager.default.copyItem(atPath: directory, toPath: copy)
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let again = try open(copy)
            #expect(await again.held.records == 200)
            let entries = try await again.oldest(500)
            #expect(Set(entries.map(\.record.receivedAt)) == Set((0..<200).map { Int64($0) }))
            #expect(entries.map(\.id) == entries.map(\.id).sorted())
            #expect(entries.first { $0.record.receivedAt == 7 }?.record == record(7))
            try await again.remove(entries.map(\.id))
            #expect(await again.held == SpoolTotals())
        }
    }

    @Test("A second owner is refused, and the first keeps working")
    func owner() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            #expect(throws: SpoolError.owned(directory)) { try open(directory) }
            try await spool.append(record(1))
            #expect(await spool.held.records == 1)
        }
    }

    @Test("Above its size or age limit the spool refuses records and drops none")
    func bounds() async throws {
        try await withDirectory { directory in
            var limits = Spool.Limits()
            limits.bytes = 3 * (SpoolFile.overhead + 100)
            let spool = try open(directory, limits)
            let now = Int64(Date().timeIntervalSince1970 * 1_000_000)
            for number in 0..<3 { try await spool.append(record(number, receivedAt: now, project: number)) }
            await #expect(throws: SpoolError.full) { try await spool.append(record(3, receivedAt: now)) }
            #expect(await !spool.canAppend)
            #expect(await spool.held.records == 3)
            try await spool.remove([1])
            try await spool.append(record(3, receivedAt: now, project: 3))
            try await spool.remove(try await spool.oldest(10).map(\.id))
            // An old record shows that the spool is not being replayed.
            try await spool.append(record(4, receivedAt: now - 8 * 86_400 * 1_000_000))
            await #expect(throws: SpoolError.full) { try await spool.append(record(5, receivedAt: now)) }
            #expect(await !spool.canAppend)
        }
    }

    @Test("One project cannot fill the spool, also after a restart and a replay")
    func shares() async throws {
        try await withDirectory { directory in
            let limits = Self.eightyRecords
            var spool: Spool? = try open(directory, limits)
            var kept = 0
            for number in 0..<100 {
                guard (try? await spool?.append(record(number))) != nil else { break }
                kept += 1
            }
            #expect(kept == 70)
            #expect(await spool?.canAppend == false, "less room than an average record needs")
            for number in 200..<205 { try await spool?.append(record(number, project: 2)) }
            spool = nil
            let again = try open(directory, limits)
            await #expect(throws: SpoolError.full) { try await again.append(record(99)) }
            for number in 205..<210 { try await again.append(record(number, project: 2)) }
            await #expect(throws: SpoolError.full) { try await again.append(record(210, project: 2)) }
            try await again.remove(try await again.oldest(40).map(\.id))
            await again.refresh()
            try await again.append(record(300))
        }
    }

    @Test("A single project can use the whole spool")
    func onlyProject() async throws {
        try await withDirectory { directory in
            let limits = Self.eightyRecords
            let spool = try open(directory, limits)
            for number in 0..<80 { try await spool.append(record(number), isOnlyProject: true) }
            await #expect(throws: SpoolError.full) { try await spool.append(record(80), isOnlyProject: true) }
        }
    }

    @Test("The records of a file of an earlier version are counted by project when it is opened")
    func olderFile() async throws {
        try await withDirectory { directory in
            let limits = Self.eightyRecords
            var spool: Spool? = try open(directory, limits)
            for number in 0..<60 { try await spool?.append(record(number)) }
            for number in 60..<70 { try await spool?.append(record(number, project: 2)) }
            spool = nil
            let older = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
            try await older.write { database in
                for name in ["record_counted", "record_uncounted", "dead_letter_counted", "dead_letter_uncounted"] {
                    try database.execute(sql: "DROP TRIGGER \(name)")
                }
                try database.execute(sql: "DROP TABLE project_total")
                try database.execute(sql: "DELETE FROM grdb_migrations WHERE identifier = '3'")
            }
            try older.close()
            let again = try open(directory, limits)
            await #expect(throws: SpoolError.full) { try await again.append(record(99)) }
            try await again.append(record(100, project: 2))
            let counted = try await DatabaseQueue(path: directory + "/" + SpoolFile.name).read(SpoolFile.projectTotals)
            #expect(counted == [1: 60 * (SpoolFile.overhead + 100), 2: 11 * (SpoolFile.overhead + 100)])
        }
    }

    @Test("A record with a flipped bit becomes a dead letter; the others stay readable")
    func flippedBit() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            for number in 0..<3 { try await spool.append(record(number)) }
            let other = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
            try await other.write { database in
                try database.execute(sql: "UPDATE record SET payload = zeroblob(length(payload)) WHERE id = 2")
                try database.execute(sql: "UPDATE record SET version = 99 WHERE id = 3")
            }
            let entries = try await spool.oldest(10)
            #expect(entries.map(\.id) == [1])
            let letters = try DeadLetters(directory: directory)
            let reasons = try letters.list().map(\.reason)
            #expect(reasons.count == 2)
            #expect(reasons[0].contains("checksum") && reasons[1].contains("version 99"))
            #expect(await spool.held.deadLetters == 2)
        }
    }

    @Test("A damaged file is moved aside and counted, and its readable records are recovered")
    func damagedFile() async throws {
        try await withDirectory { directory in
            do {
                let spool = try open(directory)
                for number in 0..<400 { try await spool.append(record(number, bytes: 900)) }
                let other = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
                try await other.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            }
            let path = directory + "/" + SpoolFile.name
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            let size = try file.seekToEnd()
            // A page in the middle, among the records.
            try file.seek(toOffset: size / 8192 * 4096)
            try file.write(contentsOf: Data(repeating: 0xAB, count: 4096))
            try file.close()
            let registry = MetricsRegistry()
            let spool = try open(directory, registry: registry)
            let saved = await spool.held.records
            #expect(saved >= 380 && saved < 400)
            #expect(FileManager.default.fileExists(atPath: directory + "/damaged-1.sqlite"))
            #expect(registry.render(.openMetrics).contains("whorl_spool_damaged_files_total 1"))
            try await spool.append(record(1_000))
            #expect(try await spool.oldest(1_000).count == saved + 1)
        }
    }

    @Test("An interrupted recovery of a damaged file continues at the next start, including dead letters")
    func interruptedSearch() async throws {
        try await withDirectory { directory in
            do {
                let spool = try open(directory)
                for number in 0..<450 { try await spool.append(record(number)) }
                try await spool.deadLetter(Int64(3), reason: "refused")
                let other = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
                try await other.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            }
            try FileManager.default.moveItem(
                atPath: directory + "/" + SpoolFile.name,
                toPath: directory + "/salvaging-1.sqlite"
            )
            let spool = try open(directory)
            #expect(await spool.held.records == 449)
            #expect(await spool.held.deadLetters == 1)
            #expect(FileManager.default.fileExists(atPath: directory + "/damaged-1.sqlite"))
            #expect(!FileManager.default.fileExists(atPath: directory + "/salvaging-1.sqlite"))
        }
    }

    @Test("A column value of the wrong type makes a damaged record and does not crash the process")
    func wrongTypes() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            for number in 0..<3 { try await spool.append(record(number)) }
            let other = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
            try await other.write { database in
                try database.execute(sql: "UPDATE record SET received_at = 'x', key_id = zeroblob(3) WHERE id = 1")
                try database.execute(sql: "UPDATE record SET event_id = 7, sdk = zeroblob(2) WHERE id = 2")
            }
            let entries = try await spool.oldest(10)
            #expect(entries.map(\.id) == [3])
            #expect(await spool.held.deadLetters == 2)
        }
    }

    @Test(
        "A file that is not a database is moved aside",
        arguments: ["", "not a database at all, but long enough to be looked at"]
    )
    func noDatabase(_ content: String) async throws {
        try await withDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try Data(String(repeating: content, count: 100).utf8)
                .write(to: URL(fileURLWithPath: directory + "/" + SpoolFile.name))
            let spool = try open(directory)
            try await spool.append(record(1))
            #expect(await spool.held.records == 1)
        }
    }

    @Test("Dead letters can be retried and dropped while the collector runs")
    func deadLetters() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            for number in 0..<3 { try await spool.append(record(number)) }
            for id in 1...3 { try await spool.deadLetter(Int64(id), reason: "refused") }
            let letters = try DeadLetters(directory: directory)
            #expect(try letters.totals().deadLetters == 3)
            #expect(try letters.retry(2) == 1)
            #expect(try letters.retry(2) == 0)
            await spool.refresh()
            #expect(await spool.held.records == 1)
            #expect(try letters.drop(1) == 1)
            #expect(try letters.retry(nil) == 1)
            await spool.refresh()
            #expect(await spool.held.records == 2)
            #expect(await spool.held.deadLetters == 0)
        }
    }

    @Test("Old dead letters and all records of a deleted project are removed and leave no data in the file")
    func cleaning() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            for number in 0..<6 { try await spool.append(record(number, project: number < 4 ? 1 : 2)) }
            for id in [1, 2, 5] { try await spool.deadLetter(Int64(id), reason: "refused") }
            let other = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
            try await other.write { database in
                try database.execute(sql: "UPDATE dead_letter SET buried_at = 0 WHERE id = 1")
            }
            // One dead letter is too old; one dead letter and one record belong to the deleted project.
            #expect(try await spool.clean { $0 == 2 } == 3)
            #expect(await spool.held.records == 2)
            #expect(await spool.held.deadLetters == 1)
            #expect(try await spool.clean { _ in false } == 0)
            try await other.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            let file = try #require(FileManager.default.contents(atPath: directory + "/" + SpoolFile.name))
            #expect(file.range(of: Data("project-1".utf8)) != nil)
            #expect(file.range(of: Data("project-2".utf8)) == nil)
        }
    }

    @Test("The age of a retried dead letter starts at the retry, so that it does not make the spool full")
    func retriedAge() async throws {
        try await withDirectory { directory in
            var limits = Spool.Limits()
            limits.bytes -= 1
            let spool = try open(directory, limits)
            let now = Int64(Date().timeIntervalSince1970 * 1_000_000)
            try await spool.append(record(1, receivedAt: now - 20 * 86_400 * 1_000_000))
            try await spool.deadLetter(Int64(1), reason: "refused")
            #expect(await spool.canAppend, "dead letters do not count")
            #expect(try DeadLetters(directory: directory).retry(nil) == 1)
            await spool.refresh()
            #expect(await spool.held.records == 1)
            #expect(await spool.canAppend)
            #expect(try await spool.oldest(1).first?.record.receivedAt == now - 20 * 86_400 * 1_000_000)
        }
    }

    @Test("A file that cannot be opened is retried after a delay, not for every event")
    func reopening() async throws {
        try await withDirectory { directory in
            let spool = try open(directory)
            try await spool.append(record(1))
            let other = try DatabaseQueue(path: directory + "/" + SpoolFile.name)
            try await other.write { try $0.execute(sql: "ALTER TABLE record RENAME TO elsewhere") }
            for number in 2..<5 {
                await #expect(throws: SpoolError.self) { try await spool.append(record(number)) }
            }
            #expect(await !spool.canAppend)
            try await other.write { try $0.execute(sql: "ALTER TABLE elsewhere RENAME TO record") }
            let isBack = try await eventually { (try? await spool.append(record(9))) != nil }
            #expect(isBack)
            #expect(await spool.held.records == 2)
        }
    }

    // MARK: - Helpers

    /// Limits with room for eighty records of these tests, which have timestamps in 1970.
    private static var eightyRecords: Spool.Limits {
        var limits = Spool.Limits()
        limits.age = .seconds(100 * 365 * 86_400)
        limits.bytes = 80 * (SpoolFile.overhead + 100)
        return limits
    }

    private func open(
        _ directory: String,
        _ limits: Spool.Limits = .init(),
        registry: MetricsRegistry = MetricsRegistry()
    ) throws -> Spool {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var limits = limits
        // The records of these tests have timestamps in 1970.
        if limits.bytes == Spool.Limits().bytes { limits.age = .seconds(100 * 365 * 86_400) }
        return try Spool(directory: directory, limits: limits, logger: logger, registry: registry)
    }

    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = try temporaryDirectory("spool")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory + "/spool")
    }
}

private func record(_ number: Int, receivedAt: Int64? = nil, bytes: Int = 100, project: Int = 1) -> SpoolRecord {
    SpoolRecord(
        projectID: project,
        keyID: 2,
        eventID: Array(repeating: 0, count: 12) + withUnsafeBytes(of: UInt32(number).bigEndian) { Array($0) },
        receivedAt: receivedAt ?? Int64(number),
        sentAt: nil,
        clientAddress: number % 2 == 0 ? "192.0.2.1" : nil,
        sdk: "sentry.project-\(project)/2.0",
        notes: nil,
        codec: 0,
        payload: [UInt8](repeating: UInt8(number % 251), count: bytes)
    )
}
