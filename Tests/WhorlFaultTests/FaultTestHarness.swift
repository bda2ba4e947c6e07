import Foundation
import Glibc
import Synchronization
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProtocol
import WhorlStore
import WhorlTestSupport

/// Expects that a condition becomes true within the limit.
func expectEventually(
    within limit: Duration = .seconds(30),
    location: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let isTrue = try await eventually(within: limit, condition)
    #expect(isTrue, sourceLocation: location)
}

/// How many fault rounds a run performs: a few in `make test`, all of them in `make faults`.
enum FaultScale {
    static let isFull = ProcessInfo.processInfo.environment["WHORL_FAULTS"] == "full"

    static func rounds(_ short: Int, full: Int) -> Int { isFull ? full : short }
}

/// A collector with its own Postgres, and clients that send events continuously and record the responses.
///
/// After the fault, ``verify(_:)`` compares the acknowledged events with the stored ones.
final class FaultTestHarness: Sendable {
    let directory: String
    let cluster: PrivateCluster
    let databaseURL: String
    let ledger = DeliveryRecord()
    private let collector: Mutex<TestCollector>
    private let environment: [String: String]
    private let wrapper: [String]
    private let isSending = Atomic<Bool>(true)
    /// The database that the final check reads, if it is not the original one.
    let finalDatabaseURL = Mutex<String?>(nil)

    var current: TestCollector { collector.withLock { $0 } }
    var http: TestHTTP { current.http }

    /// Runs the body in a new lab while clients send, and cleans up afterwards.
    static func run(
        environment: [String: String] = [:],
        wrapper: [String] = [],
        clients: Int = 8,
        directory disk: String? = nil,
        databaseURL: (@Sendable (PrivateCluster) -> String)? = nil,
        _ body: (FaultTestHarness) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory("faults")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // The database can be on a separate disk; the collector's directory is not.
        let cluster = try await PrivateCluster.locate(dataDirectory: disk ?? directory)
        try await cluster.start(deadline: .now + .seconds(120))
        do {
            let lab = try await FaultTestHarness(
                directory,
                cluster,
                databaseURL?(cluster) ?? cluster.url,
                environment,
                wrapper
            )
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<clients { group.addTask { await lab.send(number) } }
                    do {
                        try await body(lab)
                    } catch {
                        lab.isSending.store(false, ordering: .relaxed)
                        throw error
                    }
                    lab.isSending.store(false, ordering: .relaxed)
                    try await group.waitForAll()
                }
            } catch {
                await lab.current.program.stop()
                throw error
            }
            await lab.current.program.stop()
        } catch {
            print((try? String(contentsOfFile: cluster.logFile, encoding: .utf8))?.suffix(1_500) ?? "")
            try? await cluster.stop(deadline: .now + .seconds(20))
            throw error
        }
        try? await cluster.stop(deadline: .now + .seconds(20))
    }

    private init(
        _ directory: String,
        _ cluster: PrivateCluster,
        _ databaseURL: String,
        _ environment: [String: String],
        _ wrapper: [String]
    ) async throws {
        self.directory = directory
        self.cluster = cluster
        self.databaseURL = databaseURL
        let data = directory + "/collector"
        self.environment = ["WHORL_DATA_DIR": data, "WHORL_LOG_LEVEL": "warning"].merging(environment) { $1 }
        self.wrapper = wrapper
        collector = Mutex(try await Self.start(databaseURL, self.environment, wrapper))
    }

    /// Starts a collector at level info, because the start waits for the line `listening`, which has that level.
    private static func start(
        _ databaseURL: String,
        _ environment: [String: String],
        _ wrapper: [String]
    ) async throws -> TestCollector {
        var environment = environment
        environment["WHORL_LOG_LEVEL"] = "info"
        return try await TestCollector.start(databaseURL: databaseURL, environment: environment, wrapper: wrapper)
    }

    // MARK: - Clients

    /// Sends one event after another until the lab ends; after an error it continues with the next event.
    private func send(_ number: Int) async {
        var sequence = number
        while isSending.load(ordering: .relaxed) {
            sequence += 97
            _ = await sendOne(EventID.random(), sequence)
        }
    }

    /// Sends one event, and returns the status of the response, or nil without one.
    @discardableResult
    func sendOne(_ id: EventID, _ sequence: Int = 0) async -> Int? {
        ledger.sending(id)
        let start = ContinuousClock.now
        do {
            let answer = try await current.send(event: Self.event(sequence), id: id)
            ledger.answered(id, answer.status, after: start.duration(to: .now))
            if answer.status != 200 { try? await Task.sleep(for: .milliseconds(20)) }
            return answer.status
        } catch {
            ledger.unanswered()
            // The collector does not accept connections at the moment.
            try? await Task.sleep(for: .milliseconds(20))
            return nil
        }
    }

    private static func event(_ sequence: Int) -> JSON {
        [
            "environment": sequence % 2 == 0 ? "production" : "staging", "release": .string("lab@\(sequence % 3)"),
            "user": ["id": .string("\(sequence % 20)")],
            "exception": [
                "values": [
                    [
                        "type": .string("Fault\(sequence % 12)"), "value": "lab",
                        "stacktrace": ["frames": [["function": "f", "in_app": true]]],
                    ]
                ]
            ],
        ]
    }

    /// Waits until `count` more events have been acknowledged.
    func acknowledge(_ count: Int, within seconds: Double = 60) async throws {
        let target = ledger.acknowledged.count + count
        let reached = try await eventually(within: .seconds(seconds)) { [ledger] in ledger.acknowledged.count >= target
        }
        guard reached else { throw TestFailure("fewer than \(count) more events acknowledged: \(ledger.summary)") }
    }

    // MARK: - Faults

    /// Kills the collector with SIGKILL, and starts it again on the same directory.
    func killCollector() async throws {
        current.program.signal(SIGKILL)
        try await current.program.exitStatus(within: 20)
        try await restart()
    }

    /// Starts a new collector after the previous one has ended.
    func restart(environment extra: [String: String] = [:]) async throws {
        let next = try await Self.start(databaseURL, environment.merging(extra) { $1 }, wrapper)
        collector.withLock { $0 = next }
    }

    /// The process IDs of the database server.
    func serverProcesses() throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == cluster.directory
            }
    }

    /// Runs SQL on a separate connection.
    @discardableResult
    func sql(_ text: String) async throws -> PostgresRows {
        let connection = try await PostgresConnection.connect(cluster.url, deadline: .now + .seconds(10))
        do {
            let rows = try await connection.script(text, deadline: .now + .seconds(30))
            await connection.close()
            return rows
        } catch {
            await connection.close()
            throw error
        }
    }

    // MARK: - Checks

    /// Descriptions of everything that is wrong; empty if every acknowledged event is stored exactly once.
    ///
    /// First it sends every unacknowledged event again with its id, and waits until the spool is empty.
    func faults(resend: Bool = true) async throws -> [String] {
        isSending.store(false, ordering: .relaxed)
        var faults: [String] = []
        if resend {
            let answered = try await eventually(within: .seconds(60)) { [self] in
                for id in ledger.open { await sendOne(id) }
                return ledger.open.isEmpty
            }
            if !answered { faults.append("\(ledger.open.count) events were never acknowledged") }
        }
        let isEmpty = try await eventually(within: .seconds(90)) { [self] in
            try await current.metric("whorl_spool_records") == 0
        }
        if !isEmpty {
            faults.append("the spool does not become empty: \(try await current.metric("whorl_spool_records") ?? -1)")
        }
        let letters = try await current.metric("whorl_spool_dead_letters") ?? 0
        if letters > 0 { faults.append("\(letters) dead letters") }
        let url = finalDatabaseURL.withLock { $0 } ?? cluster.url
        let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(20))
        let rows = try await connection.execute(Self.ids, deadline: .now + .seconds(30))
        let stored = try rows.map { EventID(uuid: try $0.read("event_id")) }
        let unique = Set(stored)
        let lost = ledger.acknowledged.subtracting(unique)
        if !lost.isEmpty { faults.append("\(lost.count) acknowledged events are lost, such as \(lost.prefix(3))") }
        let invented = unique.subtracting(ledger.sent)
        if !invented.isEmpty { faults.append("\(invented.count) events are stored but were never sent") }
        if stored.count != unique.count { faults.append("\(stored.count - unique.count) events are stored twice") }
        let sums = try #require(try await connection.execute(Self.sums, deadline: .now + .seconds(30)).first)
        if try sums.read("wrong_counts", as: Int.self) > 0 { faults.append("issue counts differ from the rows") }
        if try sums.read("wrong_users", as: Int.self) > 0 { faults.append("user counts differ from the rows") }
        for name in ["environments", "hours", "accepted"] {
            let sum = try sums.read(name, as: Int.self)
            if sum != stored.count { faults.append("\(name) add up to \(sum), the rows to \(stored.count)") }
        }
        await connection.close()
        let delay = try await current.metric("whorl_thread_pool_delay_seconds") ?? .infinity
        if delay > 1 { faults.append("a task of the thread pool ran \(delay) s late") }
        return faults
    }

    /// Expects that every acknowledged event is stored exactly once.
    func verify(_ what: String, location: SourceLocation = #_sourceLocation) async throws {
        let faults = try await faults()
        #expect(faults.isEmpty, "\(what): \(faults); \(ledger.summary)", sourceLocation: location)
        #expect(ledger.acknowledged.count > 20, "\(what) sent too little: \(ledger.summary)", sourceLocation: location)
        print("\(what): \(ledger.summary)")
    }

    private static let ids = PostgresStatement("test", "SELECT event_id FROM event")

    private static let sums = PostgresStatement(
        "test",
        """
        SELECT
            (SELECT count(*) FROM issue i WHERE event_count <> (
                SELECT count(*) FROM event e JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                WHERE h.issue_id = i.id)) AS wrong_counts,
            (SELECT count(*) FROM issue i WHERE user_count <> (
                SELECT count(DISTINCT user_hash) FROM event e
                JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
                WHERE h.issue_id = i.id)) AS wrong_users,
            (SELECT coalesce(sum(events), 0)::int8 FROM hash_environment) AS environments,
            (SELECT coalesce(sum(events), 0)::int8 FROM hash_hour) AS hours,
            (SELECT coalesce(sum(quantity), 0)::int8 FROM outcome WHERE outcome = 'accepted' AND category = 'error')
                AS accepted
        """
    )
}
