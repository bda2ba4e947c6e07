import Foundation
import Glibc
import Testing
import WhorlTestSupport

@Suite("Collector faults", .serialized) struct CollectorFaults {
    @Test("After SIGKILL at random moments and restarts, every acknowledged event is stored once")
    func kills() async throws {
        try await FaultTestHarness.run { lab in
            var random = SeededRandom()
            for _ in 0..<FaultScale.rounds(4, full: 50) {
                try await lab.acknowledge(Int.random(in: 5...60, using: &random))
                try await lab.killCollector()
            }
            try await lab.verify("kill -9, seed \(random.seed)")
        }
    }

    @Test(
        "After a crash at a critical point, every acknowledged event is stored once",
        arguments: ["after_spool_write", "before_commit", "after_commit", "before_spool_removal"]
    )
    func failpoints(_ point: String) async throws {
        try await FaultTestHarness.run(environment: [:]) { lab in
            try await lab.acknowledge(20)
            for pass in 1...FaultScale.rounds(1, full: 5) {
                lab.current.program.signal(SIGKILL)
                try await lab.current.program.exitStatus(within: 20)
                try await lab.restart(environment: [
                    "WHORL_FAULT": "crash:\(point):\(point == "before_spool_removal" ? 1 : pass * 3)"
                ])
                if point.contains("spool") {
                    // The collector uses the spool while the database is frozen.
                    let processes = try lab.serverProcesses()
                    for process in processes { kill(process, SIGSTOP) }
                    if point == "before_spool_removal" { try? await lab.acknowledge(20, within: 10) }
                    if point == "after_spool_write" { _ = try? await lab.current.program.exitStatus(within: 20) }
                    for process in processes { kill(process, SIGCONT) }
                }
                #expect(try await lab.current.program.exitStatus(within: 40) == 128 + SIGKILL)
                try await lab.restart()
                try await lab.acknowledge(20)
            }
            try await lab.verify("killed \(point)")
        }
    }

    @Test("After one or two SIGTERMs under load, every acknowledged event is stored once")
    func terminations() async throws {
        try await FaultTestHarness.run { lab in
            for round in 0..<FaultScale.rounds(2, full: 10) {
                try await lab.acknowledge(30)
                lab.current.program.signal(SIGTERM)
                if round % 2 == 1 { lab.current.program.signal(SIGTERM) }
                let status = try await lab.current.program.exitStatus(within: 12)
                #expect(status == 0 || round % 2 == 1)
                try await lab.restart()
            }
            try await lab.verify("SIGTERM")
        }
    }

    @Test("Repeated kills during startup lose no acknowledged event")
    func restartLoop() async throws {
        try await FaultTestHarness.run { lab in
            for _ in 0..<FaultScale.rounds(3, full: 100) {
                // The state at the moment of the kill is deliberately random.
                try await Task.sleep(for: .seconds(FaultScale.isFull ? 3 : 0.5))
                try await lab.killCollector()
            }
            try await lab.verify("restart loop")
        }
    }

    @Test("The collector keeps working with 256 file descriptors and 400 idle connections")
    func descriptors() async throws {
        try await FaultTestHarness.run(wrapper: ["/usr/bin/prlimit", "--nofile=256"]) { lab in
            try await lab.acknowledge(20)
            let idle = IdleConnections(400, port: lab.current.port)
            #expect(idle.count > 0)
            // Above its connection limit the collector closes new connections and keeps running.
            _ = try? await lab.http.get("/livez")
            idle.close()
            try await lab.acknowledge(20)
            #expect(try await lab.current.metric("whorl_http_connections_refused_total{reason=\"total\"}") ?? 0 > 0)
            try await lab.verify("256 descriptors")
        }
    }

    @Test("A second collector on the same data directory reports the conflict and exits; the first keeps running")
    func secondOwner() async throws {
        try await FaultTestHarness.run { lab in
            try await lab.acknowledge(5)
            let second = try RunningProgram(
                TestCollector.executable,
                ["serve"],
                environment: [
                    "PATH": "/usr/bin:/bin", "DATABASE_URL": lab.databaseURL, "PORT": "0",
                    "WHORL_DATA_DIR": lab.directory + "/collector",
                ]
            )
            #expect(try await second.exitStatus(within: 30) == 1)
            #expect(second.output.contains("every collector needs its own data directory"))
            try await lab.verify("two owners")
        }
    }

    @Test("The checks of the lab fail when a guard is disabled", arguments: ["spool", "duplicates", "commit_first"])
    func guards(_ name: String) async throws {
        try await FaultTestHarness.run(environment: ["WHORL_FAULT": "without:\(name)"]) { lab in
            try await lab.acknowledge(20)
            switch name {
            case "duplicates":
                // The same events on the next day: the previous day's partition already contains them.
                try await lab.sql("UPDATE event SET received_day = received_day - 1")
                for id in lab.ledger.acknowledged.prefix(5) { await lab.sendOne(id) }
            default:
                let processes = try lab.serverProcesses()
                for process in processes { kill(process, SIGSTOP) }
                try? await lab.acknowledge(20, within: 20)
                lab.current.program.signal(SIGKILL)
                try await lab.current.program.exitStatus(within: 20)
                for process in processes { kill(process, SIGCONT) }
                try await lab.restart(environment: ["WHORL_FAULT": ""])
            }
            let faults = try await lab.faults(resend: name != "duplicates")
            #expect(!faults.isEmpty, "no check failed without the guard \(name)")
        }
    }
}

/// A random number generator with a known seed, so that a run can be repeated.
struct SeededRandom: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init() {
        seed =
            ProcessInfo.processInfo.environment["WHORL_FAULT_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...999_999)
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Connections that are opened and then send nothing.
final class IdleConnections {
    private var sockets: [Int32] = []
    var count: Int { sockets.count }

    init(_ count: Int, port: Int) {
        for _ in 0..<count {
            if let connection = try? LoopbackSocket.connect(port: port) { sockets.append(connection) }
        }
    }

    func close() {
        for descriptor in sockets { Glibc.close(descriptor) }
        sockets = []
    }

    deinit { close() }
}
