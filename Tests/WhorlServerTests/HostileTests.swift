import Foundation
import Synchronization
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Hostile requests")
struct HostileTests {
    @Test("Every case of the corpus is answered as expected, and another client sees no errors or delays")
    func corpus() async throws {
        let environment = [
            "WHORL_BOOTSTRAP_ORG": "default", "WHORL_BOOTSTRAP_PROJECT": "default", "WHORL_HEAD_TIMEOUT_SECONDS": "2",
            "WHORL_BODY_TIMEOUT_SECONDS": "4", "WHORL_BAD_CREDENTIALS_PER_MINUTE": "1000000",
        ]
        try await withCollector(environment: environment) { collector in
            let others = try await Self.otherKeys(collector)
            let cases = try HostileCase.all(
                ["project": "1", "key": TestCollector.publicKey].merging(others) { $1 }
            )
            #expect(cases.count >= 120)
            let connection = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            let peak = try PeakMemory(of: collector.program.processID)
            let bystander = ConcurrentClient(collector)
            // The cases that wait for a deadline run concurrently.
            try await withThrowingTaskGroup(of: [String].self) { group in
                for stalled in cases where stalled.then == .stall {
                    group.addTask {
                        let exchange = try await RawExchange.run(
                            port: collector.port,
                            stalled.bytes,
                            then: .stall,
                            limit: 12
                        )
                        return exchange.isClosed ? [] : ["\(stalled.name): still open after 12 s"]
                    }
                }
                for try await faults in group { #expect(faults.isEmpty, "\(faults)") }
            }
            var failed = 0
            for hostile in cases where hostile.then != .stall {
                let start = ContinuousClock.now
                bystander.note(hostile.name)
                let faults = try await Self.faults(of: hostile, collector, connection)
                let time = start.duration(to: .now)
                if time > .milliseconds(700) { print("\(hostile.name) took \(time)") }
                #expect(faults.isEmpty, "\(hostile.name): \(faults.joined(separator: "; "))")
                if !faults.isEmpty { failed += 1 }
            }
            #expect(failed == 0, "\(failed) of \(cases.count) cases failed")
            let (seen, errors) = try await bystander.stop()
            #expect(errors == 0)
            let sorted = seen.sorted { $0.time < $1.time }
            let p99 = sorted[min(sorted.count * 99 / 100, sorted.count - 1)].time
            let slowest = sorted.suffix(5).map { "\($0.time) after \($0.name)" }
            // The latency bound applies to release builds; a debug build on a busy machine can take any time.
            if TestCollector.isRelease {
                #expect(p99 < .milliseconds(100), "p99 of \(sorted.count); slowest \(slowest)")
            }
            await connection.close()
            try await collector.expectFreeThreadPool()
            let memory = peak.stop()
            #expect(memory < TestCollector.maxMemory)
            print(
                "\(cases.count) cases; bystander p99 \(p99), slowest \(slowest.last ?? ""); peak \(Int(memory / 1e6)) MB"
            )
            // Data of a sender appears in the log only within single lines of valid JSON.
            for line in collector.program.output.split(separator: "\n") {
                #expect((try? JSONDocument(Array(line.utf8))) != nil, "\(line.prefix(200))")
            }
        }
    }

    // MARK: - Cases

    private static func faults(
        of hostile: HostileCase,
        _ collector: TestCollector,
        _ connection: PostgresConnection
    ) async throws -> [String] {
        let before = try await count(connection)
        let exchange = try await RawExchange.run(port: collector.port, hostile.bytes, then: hostile.then, limit: 30)
        let expected = hostile.expected
        var faults: [String] = []
        let statuses = exchange.answers.map(\.status)
        if hostile.then != .reset {
            let last = statuses.last ?? 0
            let allowed = (expected["status"]?.array ?? []).compactMap(\.int)
            if !allowed.contains(last) { faults.append("answered \(last), not \(allowed)") }
        }
        if let all = expected["statuses"]?.array?.compactMap(\.int), all != statuses {
            faults.append("answered \(statuses), not \(all)")
        }
        if exchange.duration > .seconds(20) { faults.append("took \(exchange.duration)") }
        for (name, value) in expected["header"]?.object ?? [] {
            let seen = exchange.answers.last?.headers[name.lowercased()]
            if seen?.lowercased().contains((value.string ?? "").lowercased()) != true {
                faults.append("header \(name) is \(seen ?? "absent")")
            }
        }
        let text = String(decoding: exchange.received, as: UTF8.self)
        for word in expected["answer_lacks"]?.array ?? [] where text.contains(word.string ?? "") {
            faults.append("the answer contains \(word)")
        }
        let wanted = expected["stored"]?.int ?? 0
        var stored = try await count(connection) - before
        if hostile.then == .reset, stored != wanted {
            // A request whose client disconnects is processed with a delay or not at all.
            _ = try await eventually(within: .seconds(2)) { try await count(connection) - before == wanted }
            stored = try await count(connection) - before
        }
        if stored != wanted { faults.append("stored \(stored), not \(wanted)") }
        if expected["event"] != nil || expected["errors"] != nil, let id = expected["event_id"]?.string {
            faults += try await eventFaults(id, expected, collector)
        }
        return faults
    }

    private static func eventFaults(_ id: String, _ expected: JSON, _ collector: TestCollector) async throws -> [String]
    {
        let answer = try await collector.http.get("/api/0/projects/default/default/events/\(id)/")
        guard answer.status == 200 else { return ["the event cannot be read: \(answer.status)"] }
        let event = try answer.json()
        var faults: [String] = []
        for (pointer, value) in expected["event"]?.object ?? [] {
            let seen = pointer.split(separator: "/")
                .reduce(event as JSON?) { node, part in
                    let name = part.replacingOccurrences(of: "~1", with: "/").replacingOccurrences(of: "~0", with: "~")
                    if let list = node?.array {
                        return Int(name).flatMap { list.indices.contains($0) ? list[$0] : nil }
                    }
                    return node?[name]
                }
            if (seen ?? .null) != value {
                faults.append("\(pointer) is \((seen ?? .null).text.prefix(200)), not \(value.text.prefix(200))")
            }
        }
        if expected["errors"] == true, event["errors"]?.array?.isEmpty ?? true { faults.append("no error is noted") }
        return faults
    }

    private static func count(_ connection: PostgresConnection) async throws -> Int {
        let statement = PostgresStatement("test", "SELECT count(*) AS n FROM event WHERE project_id = 1")
        return try await connection.execute(statement, deadline: .now + .seconds(10)).first?.read("n") ?? -1
    }

    /// Creates another project with a key, and a disabled key.
    private static func otherKeys(_ collector: TestCollector) async throws -> [String: String] {
        let other = try await collector.http.send(
            "POST",
            "/api/0/organizations/default/projects/",
            json: ["name": "other"]
        )
        let slug = try other.json()["slug"]?.string ?? ""
        let keys = try await collector.http.get("/api/0/projects/default/\(slug)/keys/").json()
        let disabled =
            try await
            collector.http
            .send("POST", "/api/0/projects/default/default/keys/", json: ["name": "off"]).json()["public"]?
            .string ?? ""
        _ = try await collector.http.send(
            "PUT",
            "/api/0/projects/default/default/keys/\(disabled)/",
            json: ["isActive": false]
        )
        // Collectors see the change within a few seconds.
        let auth = ["X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=\(disabled)"]
        let isOff = try await eventually {
            try await collector.send(envelope: Array("{}\n".utf8), headers: auth).status == 403
        }
        guard isOff, let key = keys.array?.first?["public"]?.string else { throw TestFailure("no other keys") }
        return [
            "other_project": try other.json()["id"]?.string ?? "", "other_key": key, "disabled_key": disabled,
        ]
    }
}

/// A client that sends ten valid requests a second on its own thread, and measures the response times.
private final class ConcurrentClient: Sendable {
    private struct Seen {
        var times: [(time: Duration, name: String)] = []
        /// The name of the case that was sent last.
        var name = "the stalled ones"
        var errors = 0
        var isOver = false
    }

    private let port: Int
    private let isRunning = Atomic<Bool>(true)
    private let seen = Mutex(Seen())

    init(_ collector: TestCollector) {
        port = collector.port
        Thread.detachNewThread { [self] in run() }
    }

    /// Records which case is being sent, so that a slow response can be attributed to it.
    func note(_ name: String) { seen.withLock { $0.name = name } }

    /// Stops the client, and returns its measurements.
    func stop() async throws -> (times: [(time: Duration, name: String)], errors: Int) {
        isRunning.store(false, ordering: .relaxed)
        _ = try await eventually { self.seen.withLock(\.isOver) }
        return seen.withLock { ($0.times, $0.errors) }
    }

    private func run() {
        // An envelope without items takes the whole ingest path and stores nothing.
        let head = """
            POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\
            X-Sentry-Auth: Sentry sentry_version=7, sentry_key=\(TestCollector.publicKey)\r\n\r\n{}\n
            """
        var next = Date()
        while isRunning.load(ordering: .relaxed) {
            next.addTimeInterval(0.1)
            Thread.sleep(until: next)
            let start = ContinuousClock.now
            let status = try? TestHTTP(port: port).exchange(Array(head.utf8)).status
            let time = start.duration(to: .now)
            seen.withLock { seen in
                seen.times.append((time, seen.name))
                if status != 200 { seen.errors += 1 }
            }
        }
        seen.withLock { $0.isOver = true }
    }
}
