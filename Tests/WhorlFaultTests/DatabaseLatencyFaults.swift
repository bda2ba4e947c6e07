import Foundation
import Synchronization
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProtocol
import WhorlStore
import WhorlTestSupport

/// A thread-safe counter; each call returns the next integer.
private final class Numbers: Sendable {
    private let number: Mutex<Int>

    init(_ first: Int) { number = Mutex(first) }

    func next() -> Int {
        number.withLock { number in
            defer { number += 1 }
            return number
        }
    }
}

@Suite("Database with network latency", .serialized)
struct DatabaseLatencyFaults {
    /// Runs a collector whose database is behind a proxy.
    private func withProxy(_ body: (TestCollector, FaultProxy, PrivateCluster) async throws -> Void) async throws {
        let directory = try temporaryDirectory("distant")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let cluster = try await PrivateCluster.locate(dataDirectory: directory)
        try await cluster.start(deadline: .now + .seconds(120))
        let host = try #require(cluster.url.firstRange(of: "host=").map { String(cluster.url[$0.upperBound...]) })
        let proxy = try FaultProxy(to: (host.removingPercentEncoding ?? host) + "/.s.PGSQL.5432")
        do {
            try await withCollector(databaseURL: "postgresql://whorl@127.0.0.1:\(proxy.port)/whorl") { collector in
                try await body(collector, proxy, cluster)
            }
        } catch {
            proxy.stop()
            try? await cluster.stop(deadline: .now + .seconds(20))
            throw error
        }
        proxy.stop()
        try await cluster.stop(deadline: .now + .seconds(20))
    }

    /// Sends two events of each kind with 24 concurrent clients.
    private func send(_ collector: TestCollector, kinds: Range<Int>) async throws {
        let numbers = Numbers(kinds.lowerBound * 2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<24 {
                group.addTask {
                    while true {
                        let number = numbers.next()
                        guard number < kinds.upperBound * 2 else { return }
                        let event: JSON = [
                            "message": "distant", "fingerprint": .array([.string("kind \(number / 2)")]),
                            "environment": .string("e\(number % 7)"), "release": .string("r\(number % 40)"),
                        ]
                        let status = try await collector.send(event: event).status
                        #expect(status == 200)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func stored(_ cluster: PrivateCluster) async throws -> (events: Int, issues: Int) {
        let connection = try await PostgresConnection.connect(cluster.url, deadline: .now + .seconds(10))
        let row =
            try await connection.execute(
                PostgresStatement(
                    "test",
                    """
                    SELECT (SELECT count(*) FROM event) AS events,
                        (SELECT count(*) FROM issue WHERE event_count = 2) AS issues
                    """
                ),
                deadline: .now + .seconds(10)
            )
            .first
        await connection.close()
        return (try row?.read("events") ?? 0, try row?.read("issues") ?? 0)
    }

    @Test("With 20 ms latency each way, 2,000 events of 1,000 new issues are stored within a minute, live and replayed")
    func roundTrips() async throws {
        try await withProxy { collector, proxy, cluster in
            proxy.set(.delay(milliseconds: 20))
            let live = ContinuousClock.now
            try await send(collector, kinds: 0..<1_000)
            let isStored = try await eventually(within: .seconds(60)) { try await stored(cluster) == (2_000, 1_000) }
            #expect(isStored, "after \(live.duration(to: .now))")
            print("2,000 live events, 20 ms each way: \(live.duration(to: .now))")
            #expect(live.duration(to: .now) < scaledBound(.seconds(60)))

            proxy.set(.silent)
            proxy.closeAllConnections()
            try await send(collector, kinds: 1_000..<2_000)
            #expect(try await collector.metric("whorl_spool_records") ?? 0 > 1_500)
            let replay = ContinuousClock.now
            proxy.set(.delay(milliseconds: 20))
            proxy.closeAllConnections()
            let isReplayed = try await eventually(within: .seconds(60)) { try await stored(cluster) == (4_000, 2_000) }
            #expect(isReplayed, "after \(replay.duration(to: .now))")
            print("2,000 spooled events, 20 ms each way: \(replay.duration(to: .now))")
            try await collector.expectFreeThreadPool()
        }
    }
}
