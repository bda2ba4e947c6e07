import Foundation
import Glibc
import Testing
import WhorlPostgres
import WhorlPrivateCluster
import WhorlProtocol
import WhorlTestSupport

@Suite("Faults of the process environment", .serialized)
struct EnvironmentFaults {
    /// Runs a collector on a known port with its standard error redirected by the given shell commands.
    private func withCollector(
        _ redirection: String,
        _ environment: [String: String],
        _ body: (RunningProgram, TestHTTP) async throws -> Void
    ) async throws {
        let port = try LoopbackSocket.freePort()
        var settings = [
            "PATH": "/usr/bin:/bin", "PORT": String(port), "WHORL_LOG_FORMAT": "json", "WHORL_LOG_LEVEL": "debug",
            "WHORL_BOOTSTRAP_ORG": "acme", "WHORL_BOOTSTRAP_PROJECT": "web", "WHORL_CANARY": "off",
            "WHORL_BOOTSTRAP_KEY": TestCollector.publicKey, "WHORL_BOOTSTRAP_TOKEN": TestCollector.token,
        ]
        settings.merge(environment) { $1 }
        if settings["WHORL_DATA_DIR"] == nil { settings["WHORL_DATA_DIR"] = try temporaryDirectory("data") }
        let program = try RunningProgram(
            "/bin/sh",
            ["-c", "\(redirection)\nexec \"$0\" serve", TestCollector.executable],
            environment: settings
        )
        let http = TestHTTP(port: port, token: TestCollector.token)
        let isUp = try await eventually(within: .seconds(40)) { (try? await http.get("/livez").status) == 200 }
        do {
            try #require(isUp, "\(program.output)")
            try await body(program, http)
        } catch {
            await program.stop()
            throw error
        }
        await program.stop()
    }

    private func send(_ http: TestHTTP, _ message: String) async throws -> Int {
        try await http.send(
            "POST",
            "/api/1/store/?sentry_key=\(TestCollector.publicKey)",
            body: (["message": .string(message)] as JSON).encoded()
        )
        .status
    }

    @Test(
        "A full, closed or unread standard error does not block or end the process, and lost log lines are counted",
        arguments: [
            "exec 2>/dev/full", "exec 2>&-",
            "mkfifo \"$WHORL_DATA_DIR.fifo\"; sleep 300 < \"$WHORL_DATA_DIR.fifo\" > /dev/null 2>&1 & exec 2> \"$WHORL_DATA_DIR.fifo\"",
        ]
    )
    func standardError(_ redirection: String) async throws {
        let url = try await TestCluster.shared.makeDatabase()
        try await withCollector(redirection, ["DATABASE_URL": url]) { program, http in
            // Each of these requests writes a log line; together they exceed the capacity of a pipe and the log queue.
            let path = "/api/0/projects/acme/" + String(repeating: "x", count: 4_000) + "/"
            for index in 0..<1_200 {
                let start = ContinuousClock.now
                #expect(try await http.get(path).status == 404)
                if index % 100 == 0 { #expect(try await send(http, "standard error is not read \(index)") == 200) }
                #expect(start.duration(to: .now) < scaledBound(.seconds(3)))
            }
            #expect(try await http.get("/livez").status == 200)
            if redirection.contains("full") {
                let metrics = try await http.get("/metrics").text
                let line = metrics.split(separator: "\n").first { $0.hasPrefix("whorl_log_lines_dropped_total ") }
                #expect(line.flatMap { Double($0.split(separator: " ")[1]) } ?? 0 > 0)
            }
            program.signal(SIGTERM)
            #expect(try await program.exitStatus(within: 20) == 0)
        }
    }

    @Test(
        "If the disk is full and Postgres is down, events are refused; once there is room, they are accepted again",
        .enabled(if: geteuid() == 0, "only root can mount a file system")
    )
    func fullDisk() async throws {
        let disk = try temporaryDirectory("disk")
        let data = try temporaryDirectory("cluster")
        _ = try await RunningProgram("/bin/mount", ["-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", disk])
            .exitStatus()
        let cluster = try await PrivateCluster.locate(dataDirectory: data)
        try await cluster.start(deadline: .now + .seconds(120))
        do {
            try await withCollector(
                "exec 2>>\(disk)/log",
                ["DATABASE_URL": cluster.url, "WHORL_DATA_DIR": disk + "/data"]
            ) { program, http in
                #expect(try await send(http, "before") == 200)
                _ = try await RunningProgram(
                    "/bin/sh",
                    ["-c", "dd if=/dev/zero of=\(disk)/filler bs=1M count=20 2>/dev/null; true"]
                )
                .exitStatus()
                #expect(try await send(http, "the disk is full, Postgres is up") == 200)
                try await cluster.stop(deadline: .now + .seconds(30))
                let isRefused = try await eventually { try await send(http, "nowhere to keep it") == 503 }
                #expect(isRefused)
                #expect(try await http.get("/livez").status == 200)
                let isUnready = try await eventually { try await http.get("/readyz").status == 503 }
                #expect(isUnready)
                try FileManager.default.removeItem(atPath: disk + "/filler")
                let isSpooled = try await eventually { try await send(http, "there is room") == 200 }
                #expect(isSpooled)
                try await cluster.start(deadline: .now + .seconds(60))
                let isBack = try await eventually {
                    guard try await http.get("/health").status == 200 else { return false }
                    return try await http.get("/metrics").text.contains("\nwhorl_spool_records 0\n")
                }
                #expect(isBack)
                program.signal(SIGTERM)
                #expect(try await program.exitStatus(within: 20) == 0)
            }
        } catch {
            try? await cluster.stop(deadline: .now + .seconds(20))
            _ = try await RunningProgram("/bin/umount", ["-l", disk]).exitStatus()
            throw error
        }
        try await cluster.stop(deadline: .now + .seconds(20))
        _ = try await RunningProgram("/bin/umount", ["-l", disk]).exitStatus()
    }
}

@Suite("Private Postgres", .serialized)
struct PrivateClusterTests {
    private func serve(_ data: String, wrapper: [String] = []) throws -> RunningProgram {
        let line = wrapper + [TestCollector.executable, "serve"]
        return try RunningProgram(
            line[0],
            Array(line.dropFirst()),
            environment: [
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PORT": "0", "WHORL_DATA_DIR": data,
                "WHORL_LOG_FORMAT": "json",
            ]
        )
    }

    private func postmasters(_ directory: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .count { process in
                guard
                    let line = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)
                        .split(separator: "\0"), line.count > 2
                else { return false }
                return line[0].hasSuffix("/postgres") && line[1] == "-D" && line[2] == directory
            }
    }

    @Test("Through a symlinked data directory and after SIGKILL, only one Postgres runs and the next start reuses it")
    func symlink() async throws {
        let real = try temporaryDirectory("real")
        let link = real + "-link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: real)
        let first = try serve(link + "/data")
        _ = try await first.line(containing: "\"listening\"")
        first.signal(SIGKILL)
        try await first.exitStatus()
        let second = try serve(real + "/data")
        _ = try await second.line(containing: "\"listening\"")
        let third = try serve(link + "/data")
        #expect(try await third.exitStatus() == 1, "a second collector cannot use the spool")
        #expect(try await eventually { try postmasters(real + "/data/postgres") == 1 })
        second.signal(SIGTERM)
        #expect(try await second.exitStatus(within: 20) == 0)
        #expect(try postmasters(real + "/data/postgres") == 0)
        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.removeItem(atPath: real)
    }

    @Test(
        "Without permission to inspect processes, a running Postgres is not mistaken for a stopped one",
        .enabled(if: geteuid() == 0, "only root can drop capabilities")
    )
    func withoutPtrace() async throws {
        let data = try temporaryDirectory("ptrace")
        let wrapper = ["/usr/bin/setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", "--"]
        let first = try serve(data, wrapper: wrapper)
        _ = try await first.line(containing: "\"listening\"")
        first.signal(SIGKILL)
        try await first.exitStatus()
        let second = try serve(data, wrapper: wrapper)
        _ = try await second.line(containing: "\"listening\"")
        // A newly forked backend briefly has the command line of the postmaster.
        #expect(try await eventually { try postmasters(data + "/postgres") == 1 })
        #expect(!second.output.contains("has ended"))
        second.signal(SIGTERM)
        #expect(try await second.exitStatus(within: 20) == 0)
        #expect(try postmasters(data + "/postgres") == 0)
        try FileManager.default.removeItem(atPath: data)
    }

    @Test(
        "A Postgres in another PID namespace on the same volume is detected, whether its collector runs or not",
        .enabled(if: geteuid() == 0, "only root can create a namespace")
    )
    func otherContainer() async throws {
        let data = try temporaryDirectory("namespace")
        let container = [
            "/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--", "/bin/sh", "-c",
            // The collector is not the first process of the container, so its Postgres survives it.
            "\"$0\" \"$@\" & wait; sleep 600",
        ]
        let first = try serve(data, wrapper: container)
        _ = try await first.line(containing: "\"listening\"")
        // The first collector is running and uses the server.
        let second = try serve(data)
        #expect(try await second.exitStatus(within: 60) != 0)
        #expect(try postmasters(data + "/postgres") == 1)
        #expect(FileManager.default.fileExists(atPath: data + "/postgres/postmaster.pid"))
        // The first collector is killed, and its server keeps running.
        let whorls = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
            .filter { process in
                let line = (try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? ""
                let settings = (try? String(contentsOfFile: "/proc/\(process)/environ", encoding: .utf8)) ?? ""
                return line.hasPrefix(TestCollector.executable) && settings.contains("WHORL_DATA_DIR=\(data)\0")
            }
        #expect(!whorls.isEmpty)
        for process in whorls { kill(process, SIGKILL) }
        #expect(try postmasters(data + "/postgres") == 1)
        let third = try serve(data)
        // Here the socket is reachable, so the collector uses the server. Otherwise the start would fail.
        // The collector never starts a second server.
        let line = try? await third.line(containing: "\"listening\"", within: 45)
        #expect(try postmasters(data + "/postgres") == 1, "\(line ?? third.output)")
        third.signal(SIGTERM)
        _ = try await third.exitStatus(within: 30)
        first.signal(SIGKILL)
        try await first.exitStatus()
        try FileManager.default.removeItem(atPath: data)
    }
}
