import Foundation
import Glibc
import Synchronization
import Testing
import WhorlPostgres
import WhorlTestSupport

@Suite("Network, disk and clock faults", .serialized) struct SurroundingFaults {
    @Test("With a slow, silent or interrupted database connection, no acknowledged event is lost")
    func network() async throws {
        let proxy = Mutex<FaultProxy?>(nil)
        try await FaultTestHarness.run(databaseURL: { cluster in
            guard let socket = cluster.url.firstRange(of: "host=").map({ String(cluster.url[$0.upperBound...]) }),
                let made = try? FaultProxy(
                    to: (socket.removingPercentEncoding ?? socket).prefix { $0 != "&" } + "/.s.PGSQL.5432"
                )
            else { return cluster.url }
            proxy.withLock { $0 = made }
            return "postgresql://whorl@127.0.0.1:\(made.port)/whorl"
        }) { lab in
            let proxy = try #require(proxy.withLock { $0 })
            try await lab.acknowledge(20)
            let modes: [FaultProxy.Mode] = [.delay(milliseconds: 50), .silent, .cut, .delay(milliseconds: 700)]
            for mode in modes {
                proxy.set(mode)
                lab.ledger.restartClock()
                try await lab.acknowledge(FaultScale.rounds(15, full: 200))
                #expect(lab.ledger.slowest < scaledBound(.seconds(2)), "\(mode): \(lab.ledger.summary)")
                proxy.set(.pass)
                proxy.closeAllConnections()
                try await lab.acknowledge(10)
            }
            try await lab.verify("bad network")
            proxy.stop()
        }
    }

    @Test("A full spool refuses events with 503 and reports not ready until the database is back")
    func fullSpool() async throws {
        try await FaultTestHarness.run(environment: ["WHORL_SPOOL_MAX_BYTES": "1048576"]) { lab in
            try await lab.acknowledge(20)
            try await lab.cluster.stop(deadline: .now + .seconds(30))
            try await expectEventually(within: .seconds(60)) { lab.ledger.statuses[503] ?? 0 > 5 }
            try await expectEventually { try await lab.http.get("/readyz").status == 503 }
            let answer = try await lab.current.send(event: ["message": "full"])
            #expect(answer.status == 503 && answer.headers["retry-after"] != nil)
            #expect(try await lab.current.metric("whorl_spool_refused_total") ?? 0 > 0)
            try await lab.cluster.start(deadline: .now + .seconds(60))
            try await expectEventually { try await lab.http.get("/readyz").status == 200 }
            try await lab.verify("spool full")
        }
    }

    @Test("A spool with a torn tail and a flipped bit yields one dead letter and loses nothing else")
    func damagedSpool() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(20)
            try await lab.cluster.stop(deadline: .now + .seconds(30))
            try await lab.acknowledge(30)
            lab.current.program.signal(SIGKILL)
            try await lab.current.program.exitStatus(within: 20)
            let spool = lab.directory + "/collector/spool/spool.sqlite"
            // The bytes that a crash during a write leaves after the last commit.
            let log = try #require(FileHandle(forWritingAtPath: spool + "-wal"))
            try log.seekToEnd()
            try log.write(contentsOf: Data(repeating: 0x5A, count: 3_000))
            try log.close()
            let flip = try RunningProgram(
                "/usr/bin/python3",
                [
                    "-c",
                    """
                    import sqlite3, sys
                    db = sqlite3.connect(sys.argv[1])
                    (id, body) = db.execute("SELECT id, payload FROM record ORDER BY id LIMIT 1 OFFSET 5").fetchone()
                    body = bytes([body[0] ^ 1]) + body[1:]
                    db.execute("UPDATE record SET payload = ? WHERE id = ?", (body, id))
                    db.commit()
                    """, spool,
                ]
            )
            #expect(try await flip.exitStatus() == 0)
            try await lab.restart()
            try await lab.cluster.start(deadline: .now + .seconds(60))
            let faults = try await lab.faults()
            #expect(faults.count == 2, "\(faults)")
            #expect(faults.contains { $0.hasPrefix("1.0 dead letters") })
            #expect(faults.contains { $0.hasPrefix("1 acknowledged events are lost") })
        }
    }

    @Test("A clock that jumps by one hour in both directions loses no event")
    func clock() async throws {
        let directory = try temporaryDirectory("clock")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = directory + "/offset"
        let library = directory + "/wallclock.so"
        let source = TestCollector.repository + "/Tests/Fixtures/clock/wallclock.c"
        let compiler = try RunningProgram(
            "/usr/bin/env",
            ["clang", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
        )
        #expect(try await compiler.exitStatus() == 0, "\(compiler.output)")
        try "0".write(toFile: file, atomically: true, encoding: .utf8)
        let environment = [
            "LD_PRELOAD": library, "WALL_CLOCK_FILE": file, "WHORL_PROJECT_ITEMS_PER_MINUTE": "1000000",
        ]
        try await FaultTestHarness.run(environment: environment) { lab in
            try await lab.acknowledge(20)
            for offset in ["+3600", "-3600", "+0"] {
                try offset.write(toFile: file, atomically: true, encoding: .utf8)
                lab.ledger.restartClock()
                try await lab.acknowledge(30)
                #expect(lab.ledger.slowest < scaledBound(.seconds(2)))
                #expect(Set(lab.ledger.statuses.keys) == [200])
            }
            try await lab.verify("clock")
        }
    }

    @Test("With 256 MiB of memory, large bodies do not affect small ones")
    func memory() async throws {
        try await FaultTestHarness.run(wrapper: ["/usr/bin/prlimit", "--data=268435456"]) { lab in
            try await lab.acknowledge(20)
            let large = Array(String(repeating: "x", count: 15 << 20).utf8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<FaultScale.rounds(12, full: 100) {
                    group.addTask {
                        let envelope = Array("{}\n{\"type\":\"attachment\",\"length\":\(large.count)}\n".utf8) + large
                        let answer = try await lab.current.send(envelope: envelope)
                        #expect([200, 503].contains(answer.status))
                    }
                }
                try await group.waitForAll()
            }
            try await lab.acknowledge(20)
            try await lab.verify("256 MiB")
        }
    }
}
