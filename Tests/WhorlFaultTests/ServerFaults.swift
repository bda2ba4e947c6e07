import Foundation
import Glibc
import Testing
import WhorlPostgres
import WhorlTestSupport

/// Runs a program until it ends and expects it to succeed.
private func run(_ program: String, _ arguments: String...) async throws {
    let running = try RunningProgram(
        "/usr/bin/env",
        [program] + arguments,
        environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
    )
    let status = try await running.exitStatus(within: 120)
    guard status == 0 else { throw TestFailure("\(program) \(arguments.joined(separator: " ")): \(running.output)") }
}

@Suite("Faults of the database host", .serialized) struct ServerFaults {
    @Test(
        "With a full database disk, events go to the spool, and they are stored once there is room again",
        .enabled(if: geteuid() == 0, "mounting a small file system needs root")
    )
    func diskFull() async throws {
        let disk = try temporaryDirectory("disk")
        defer { try? FileManager.default.removeItem(atPath: disk) }
        try await run("mount", "-t", "tmpfs", "-o", "size=120m,mode=755", "tmpfs", disk)
        do {
            try await FaultTestHarness.run(directory: disk) { lab in
                try await lab.acknowledge(20)
                let filler = disk + "/filler"
                _ = FileManager.default.createFile(atPath: filler, contents: nil)
                let file = try #require(FileHandle(forWritingAtPath: filler))
                // Fills the disk repeatedly, because Postgres releases some of its space again.
                try await expectEventually(within: .seconds(60)) {
                    while (try? file.write(contentsOf: Data(repeating: 0, count: 65_536))) != nil {}
                    return try await lab.current.metric("whorl_spool_records") ?? 0 > 20
                }
                try file.close()
                lab.ledger.restartClock()
                try await lab.acknowledge(20)
                #expect(lab.ledger.slowest < scaledBound(.seconds(2)))
                #expect(Set(lab.ledger.statuses.keys) == [200])
                try FileManager.default.removeItem(atPath: filler)
                if !lab.cluster.isRunning { try await lab.cluster.start(deadline: .now + .seconds(60)) }
                try await lab.verify("disk full")
            }
        } catch {
            try? await run("umount", "-l", disk)
            throw error
        }
        try await run("umount", "-l", disk)
    }

    @Test("When a standby takes over and the old primary becomes read-only, no acknowledged event is lost")
    func failover() async throws {
        let directory = try temporaryDirectory("standby")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let sockets = directory + "/s"
        try FileManager.default.createDirectory(atPath: sockets, withIntermediateDirectories: false)
        try await FaultTestHarness.run(databaseURL: { cluster in
            cluster.url.replacing("host=", with: "target_session_attrs=read-write&host=\(sockets),", maxReplacements: 1)
        }) { lab in
            try await lab.acknowledge(10)
            let standby = try await Self.standby(of: lab, in: directory + "/data", sockets: sockets)
            try await lab.acknowledge(30)
            try await lab.sql("ALTER SYSTEM SET default_transaction_read_only = on")
            try await lab.sql("SELECT pg_reload_conf()")
            lab.ledger.restartClock()
            try await lab.acknowledge(20)
            try await standby("promote")
            try await lab.acknowledge(30)
            #expect(lab.ledger.slowest < scaledBound(.seconds(2)))
            #expect(Set(lab.ledger.statuses.keys) == [200])
            lab.finalDatabaseURL.withLock { $0 = "postgresql://whorl@/whorl?host=\(sockets)" }
            try await lab.verify("failover")
            try await standby("stop -m fast")
        }
    }

    /// Creates a synchronous standby; returns a function that runs `pg_ctl` on it.
    private static func standby(
        of lab: FaultTestHarness,
        in data: String,
        sockets: String
    ) async throws -> @Sendable (String) async throws -> Void {
        let primary = lab.cluster.directory
        let hba = primary + "/pg_hba.conf"
        let rules = try String(contentsOfFile: hba, encoding: .utf8)
        try (rules + "\n" + rules.replacingOccurrences(of: "local all", with: "local replication"))
            .write(toFile: hba, atomically: false, encoding: .utf8)
        try await lab.sql("SELECT pg_reload_conf()")
        let socket = lab.cluster.url.split(separator: "host=").last.map(String.init)?.removingPercentEncoding ?? ""
        let bin = try #require(
            try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").sorted().last
                .map { "/usr/lib/postgresql/\($0)/bin" }
        )
        try await run("\(bin)/pg_basebackup", "-h", socket, "-U", "whorl", "-D", data, "-R", "-c", "fast")
        let isRoot = geteuid() == 0
        if isRoot { try await run("chown", "-R", "postgres:postgres", data, sockets) }
        let asPostgres = isRoot ? "setpriv --reuid=postgres --regid=postgres --init-groups -- " : ""
        let control: @Sendable (String) async throws -> Void = { command in
            try await run("sh", "-c", "\(asPostgres)\(bin)/pg_ctl -D \(data) -w \(command) > /dev/null 2>&1")
        }
        try await control("-o '-c unix_socket_directories=\(sockets) -c listen_addresses=' -l \(data)/log start")
        try await lab.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        try await lab.sql("SELECT pg_reload_conf()")
        return control
    }
}
