import Foundation
import Glibc
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("HTTP connections", .serialized)
struct ConnectionTests {
    private func exchange(_ collector: TestCollector, _ text: String, limit: Double = 10) async throws -> RawExchange {
        try await RawExchange.run(port: collector.port, Array(text.utf8), then: .stall, limit: limit)
    }

    private let key = "X-Sentry-Auth: Sentry sentry_version=7, sentry_key=\(TestCollector.publicKey)\r\n"

    @Test("Pipelined requests are all answered in order, whichever handler answers them")
    func pipelined() async throws {
        try await withCollector { collector in
            let get = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
            let store = """
                POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\
                X-Sentry-Auth: Sentry sentry_version=7, sentry_key=\(TestCollector.publicKey)\r\n\r\n{}\n
                """
            let last = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            for requests in [[get, get, last], [store, get, last], [get, store, store, get, last]] {
                let exchange = try await RawExchange.run(
                    port: collector.port,
                    Array(requests.joined().utf8),
                    then: .read,
                    limit: 10
                )
                #expect(exchange.answers.map(\.status) == requests.map { _ in 200 })
            }
        }
    }

    @Test("A body that arrives after its response does not leave the connection without a deadline")
    func lateBody() async throws {
        try await withCollector(environment: ["WHORL_IDLE_TIMEOUT_SECONDS": "2", "WHORL_BODY_TIMEOUT_SECONDS": "3"]) {
            collector in
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            for _ in 0..<5 {
                let connection = try LoopbackSocket.connect(port: collector.port)
                open.append(connection)
                let head = "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
                _ = head.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                #expect(recv(connection, &buffer, buffer.count, 0) > 0)
                _ = send(connection, "x", 1, Int32(MSG_NOSIGNAL))
            }
            let isClosed = try await eventually(within: .seconds(8)) {
                // The connection of the metrics request itself is open.
                try await collector.metric("whorl_http_connections") ?? 9 <= 1
            }
            #expect(isClosed)
        }
    }

    @Test("Requests without exactly one valid Host are refused with 400 on every route")
    func host() async throws {
        try await withCollector { collector in
            for path in ["/livez", "/api/1/envelope/", "/api/0/", "/nowhere"] {
                for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a b\r\n"] {
                    let answer = try await exchange(
                        collector,
                        "POST \(path) HTTP/1.1\r\n\(hosts)\(key)Content-Length: 3\r\n\r\n{}\n"
                    )
                    #expect(answer.answers.map(\.status) == [400], "\(path) \(hosts)")
                    #expect(answer.isClosed)
                }
            }
            let good = try await exchange(
                collector,
                "POST /api/1/envelope/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(key)Content-Length: 3\r\n\r\n{}\n"
            )
            #expect(good.answers.map(\.status) == [200])
        }
    }

    @Test("Endless chunk-size lines, extensions and trailers are refused at 4 KiB")
    func endlessFraming() async throws {
        try await withCollector { collector in
            let head = "POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\n\(key)Transfer-Encoding: chunked\r\n\r\n"
            for endless in [
                String(repeating: "0", count: 20_000), "3;" + String(repeating: "a=1;", count: 5_000),
                "3\r\n{}\n\r\n0\r\n" + String(repeating: "X-T: 0123456789\r\n", count: 1_500),
                // The same with an end, so that all of it can arrive in one read.
                "3\r\n{}\n\r\n0\r\n" + String(repeating: "X-T: 0123456789\r\n", count: 320) + "\r\n",
                "3;" + String(repeating: "a=1;", count: 1_300) + "b\r\n{}\n\r\n0\r\n\r\n",
                String(repeating: "1;" + String(repeating: "a", count: 100) + "\r\n \r\n", count: 1_000),
            ] {
                let answer = try await exchange(collector, head + endless)
                #expect([400, 431].contains(answer.answers.first?.status ?? 0), "\(endless.prefix(10))")
                #expect(answer.isClosed)
                #expect(answer.duration < scaledBound(.seconds(5)), "refused before the body timeout")
            }
            // A valid body in small chunks is accepted.
            let chunks = "3;x=y\r\n{}\n\r\n" + String(repeating: "1\r\n \r\n", count: 20_000) + "0\r\nX-T: 1\r\n\r\n"
            let good = try await RawExchange.run(
                port: collector.port,
                Array((head + chunks).utf8),
                then: .read,
                limit: 5
            )
            #expect(good.answers.map(\.status) == [200])
        }
    }

    @Test(
        "A request for a protocol upgrade is answered without it, and the connection closes"
    )
    func upgrade() async throws {
        try await withCollector { collector in
            for path in ["GET /livez", "GET /api/0/", "POST /api/1/envelope/"] {
                let body = path.hasPrefix("POST") ? "Content-Length: 3\r\n\r\n{}\n" : "\r\n"
                let answer = try await exchange(
                    collector,
                    "\(path) HTTP/1.1\r\nHost: x\r\n\(key)Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\(body)"
                )
                #expect(answer.answers.count == 1, "\(path)")
                #expect(answer.answers.first?.headers["connection"] == "close")
                #expect(answer.answers.first?.status != 400)
                #expect(answer.isClosed && answer.duration < scaledBound(.seconds(5)))
            }
        }
    }

    @Test("A response to HEAD has no body")
    func head() async throws {
        try await withCollector { collector in
            for path in ["/livez", "/readyz", "/health", "/metrics", "/", "/nowhere", "/api/0/", "/api/1/envelope/"] {
                let answer = try await RawExchange.run(
                    port: collector.port,
                    Array("HEAD \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8),
                    then: .read,
                    limit: 5
                )
                let text = String(decoding: answer.received, as: UTF8.self)
                #expect(text.hasSuffix("\r\n\r\n"), "\(path): \(text)")
            }
        }
    }

    @Test("The number of connections per address is limited; other addresses are not affected")
    func perAddress() async throws {
        try await withCollector(environment: ["WHORL_MAX_CONNECTIONS_PER_ADDRESS": "20"]) { collector in
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            for _ in 0..<40 { open.append(try LoopbackSocket.connect(port: collector.port, from: "127.0.0.9")) }
            #expect(try await collector.http.get("/livez").status == 200)
            let isCounted = try await eventually {
                try await collector.metric("whorl_http_connections_refused_total{reason=\"address\"}") == 20
            }
            #expect(isCounted)
            for connection in open { close(connection) }
            open = []
            let isFree = try await eventually { try await collector.metric("whorl_http_connections") ?? 9 <= 1 }
            #expect(isFree)
        }
    }

    @Test("Allowed domains are compared with the origin of a referrer, not with its path")
    func origins() async throws {
        try await withCollector { collector in
            let set = try await collector.http.send(
                "PUT",
                "/api/0/projects/acme/web/",
                json: ["allowedDomains": ["*.shop.example", "https://exact.example"]]
            )
            #expect(set.status == 200)
            let isApplied = try await eventually {
                try await collector.send(envelope: Array("{}\n".utf8), headers: ["Origin": "https://evil.example"])
                    .status
                    == 403
            }
            #expect(isApplied)
            for (name, value, expected) in [
                ("Origin", "https://a.shop.example", 200), ("Referer", "https://a.shop.example/path?x=1", 200),
                ("Referer", "https://evil.example/a.shop.example", 403),
                ("Referer", "https://evil.example/?https://exact.example", 403),
                ("Referer", "https://a.shop.example@evil.example/", 403), ("Referer", "https://exact.example/x", 200),
                ("Referer", "https://evil.example#.shop.example", 403),
            ] {
                let answer = try await collector.send(envelope: Array("{}\n".utf8), headers: [name: value])
                #expect(answer.status == expected, "\(name): \(value)")
            }
        }
    }
}
