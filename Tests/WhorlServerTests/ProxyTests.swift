import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

/// HAProxy with the shipped configuration in front of one collector, with names and ports adapted.
private struct Proxy {
    let program: RunningProgram
    let port: Int
    let statistics: String

    static func start(_ collector: TestCollector) async throws -> Proxy {
        let file = TestCollector.repository + "/docker/haproxy/haproxy.cfg"
        let directory = try temporaryDirectory("haproxy")
        let port = try LoopbackSocket.freePort()
        let health = try LoopbackSocket.freePort()
        let statistics = directory + "/stats.sock"
        var text = try String(contentsOfFile: file, encoding: .utf8)
        for (old, new) in [
            ("bind :8080", "bind 127.0.0.1:\(port)"), ("127.0.0.1:8405", "127.0.0.1:\(health)"),
            ("server collector-a collector-a:8000", "server collector-a 127.0.0.1:\(collector.port)"),
            ("    server collector-b collector-b:8000\n", ""),
            ("\nglobal\n", "\nglobal\n    stats socket \(statistics) mode 600 level admin\n"),
        ] {
            guard text.contains(old) else { throw TestFailure("the configuration has no \(old)") }
            text = text.replacingOccurrences(of: old, with: new)
        }
        let path = directory + "/haproxy.cfg"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let program = try RunningProgram(
            "/usr/sbin/haproxy",
            ["-f", path, "-db"],
            environment: ["PATH": "/usr/bin:/bin"]
        )
        let proxy = Proxy(program: program, port: port, statistics: statistics)
        let isUp = try await eventually { (try? await TestHTTP(port: port).get("/livez").status) == 200 }
        guard isUp else { throw TestFailure("HAProxy does not answer: \(program.output)") }
        return proxy
    }

    /// The number of requests that HAProxy forwarded, and the number of responses that it received.
    func counts() async throws -> (requests: Int, answers: Int) {
        let output = try RunningProgram(
            "/usr/bin/python3",
            [
                "-c",
                """
                import csv, io, socket, sys
                s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b"show stat\\n")
                text = b""
                while True:
                    part = s.recv(65536)
                    if not part: break
                    text += part
                for row in csv.DictReader(io.StringIO(text.decode().lstrip("# "))):
                    if row["svname"] == "collector-a":
                        answers = sum(int(row[k] or 0) for k in row if k and k.startswith("hrsp_") and k != "hrsp_1xx")
                        print("counts", row["stot"], answers)
                """, statistics,
            ],
            environment: ["PATH": "/usr/bin:/bin"]
        )
        let words = try await output.line(containing: "counts ").split(separator: " ").dropFirst()
            .compactMap { Int($0) }
        guard words.count == 2 else { throw TestFailure("no statistics") }
        return (words[0], words[1])
    }
}

@Suite("Shipped proxy configuration", .serialized)
struct ProxyTests {
    /// The requests that the collector answered and those that it refused as malformed, without HAProxy's own checks.
    private func counts(_ collector: TestCollector) async throws -> (answered: Int, malformed: Int) {
        let answer = try await TestHTTP(port: collector.port).get("/metrics")
        func sum(_ start: String) -> Int {
            answer.text.split(separator: "\n")
                .filter { $0.hasPrefix(start) && !$0.contains("/readyz") && !$0.contains("/metrics") }
                .reduce(0) { $0 + ($1.split(separator: " ").last.flatMap { Int($0) } ?? 0) }
        }
        return (sum("http_requests_total{"), sum("whorl_http_malformed_requests_total "))
    }

    /// Sends a case through the proxy and compares the counts of both programs.
    ///
    /// The collector must see no request that HAProxy did not forward.
    /// Each response must belong to a request that the collector saw.
    private func compare(
        _ hostile: HostileCase,
        _ proxy: Proxy,
        _ collector: TestCollector
    ) async throws -> (agrees: Bool, seen: String) {
        let (proxyBefore, before) = (try await proxy.counts(), try await counts(collector))
        let exchange = try await RawExchange.run(
            port: proxy.port,
            hostile.bytes,
            then: .read,
            quiet: 0.1,
            limit: 15
        )
        var seen = ""
        let agrees = try await eventually(within: .seconds(3)) {
            let (proxyNow, now) = (try await proxy.counts(), try await counts(collector))
            let (requests, answers) = (
                proxyNow.requests - proxyBefore.requests, proxyNow.answers - proxyBefore.answers
            )
            let (answered, malformed) = (now.answered - before.answered, now.malformed - before.malformed)
            seen = "HAProxy \(requests) and \(answers), the collector \(answered) and \(malformed)"
            return answered <= requests && answers <= answered + malformed
        }
        return (agrees, "\(seen); \(Set(exchange.answers.map(\.status)))")
    }

    @Test("HAProxy and the collector agree on the number of requests in each HTTP case of the corpus")
    func sameCount() async throws {
        try await withCollector { collector in
            let proxy = try await Proxy.start(collector)
            let cases = try HostileCase.all(["project": "1", "key": TestCollector.publicKey])
                .filter { $0.name.hasPrefix("http/") && $0.then == .read && !$0.bytes.isEmpty }
            #expect(cases.count > 80)
            for hostile in cases {
                var comparison = try await compare(hostile, proxy, collector)
                // The collector may have counted a request of the previous case late, so a mismatch is checked again.
                if !comparison.agrees { comparison = try await compare(hostile, proxy, collector) }
                #expect(comparison.agrees, "\(hostile.name): \(comparison.seen)")
            }
            proxy.program.signal(SIGTERM)
            _ = try await proxy.program.exitStatus()
        }
    }

    @Test("The proxy limits the number of connections per address")
    func connections() async throws {
        try await withCollector { collector in
            let proxy = try await Proxy.start(collector)
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            for _ in 0..<600 { open.append(try LoopbackSocket.connect(port: proxy.port, from: "127.0.0.8")) }
            // The last connections were closed at once; another address is served.
            var closed = 0
            let isBounded = try await eventually {
                closed = open.count { connection in
                    var byte: UInt8 = 0
                    let count = recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
                    return count == 0 || count < 0 && errno == ECONNRESET
                }
                return closed >= 100
            }
            #expect(isBounded, "\(closed) were closed")
            #expect(try await TestHTTP(port: proxy.port).get("/livez").status == 200)
            proxy.program.signal(SIGTERM)
            _ = try await proxy.program.exitStatus()
        }
    }
}
