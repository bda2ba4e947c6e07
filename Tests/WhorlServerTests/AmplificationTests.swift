import CWhorlCompression
import Foundation
import Glibc
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Small requests cannot use much memory", .serialized)
struct AmplificationTests {
    /// The memory limit of the whole process in bytes, whatever arrives.
    private static let maxResident = 300e6

    private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        let compressor = libdeflate_alloc_compressor(6)
        defer { libdeflate_free_compressor(compressor) }
        let bound = libdeflate_gzip_compress_bound(compressor, bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            count = libdeflate_gzip_compress(compressor, bytes, bytes.count, buffer.baseAddress, bound)
        }
    }

    private static func zstd(_ bytes: [UInt8]) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            count = ZSTD_compress(buffer.baseAddress, bound, bytes, bytes.count, 3)
        }
    }

    private static func envelope(_ type: String, _ payload: [UInt8], times: Int = 1) -> [UInt8] {
        let item = Array("{\"type\":\"\(type)\",\"length\":\(payload.count)}\n".utf8) + payload + [0x0A]
        return (0..<times).reduce(into: Array("{}\n".utf8)) { bytes, _ in bytes += item }
    }

    /// JSON with a list of 26 million values, 50 MB of text.
    private static let zeros: [UInt8] = {
        var list = Array(",0".utf8)
        while list.count < 26 << 20 { list += list }
        return Array("{\"a\":[0".utf8) + list + Array("]}".utf8)
    }()

    @Test("Items with lists of a million values are refused, whatever type they declare")
    func lists() async throws {
        try await withCollector { collector in
            let peak = try PeakMemory(of: collector.program.processID)
            for type in ["user_report", "session", "sessions", "check_in", "client_report", "event", "feedback"] {
                let body = Self.gzip(Self.envelope(type, Self.zeros))
                #expect(body.count < 100_000)
                let answer = try await collector.send(envelope: body, headers: ["Content-Encoding": "gzip"])
                #expect(answer.status == (type == "event" ? 413 : 200), "\(type): \(answer.status) \(answer.text)")
            }
            // Events just below the size limit of an item, many at once.
            let event = Array(Self.zeros.prefix(1_000_000)) + Array("]}".utf8)
            let body = Self.gzip(Self.envelope("event", event))
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await collector.send(envelope: body, headers: ["Content-Encoding": "gzip"]).status
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.allSatisfy { [400, 503].contains($0) }, "\(statuses)")
            #expect(peak.stop() < Self.maxResident)
            try await collector.expectFreeThreadPool()
        }
    }

    @Test("No coding expands a body more than gzip can")
    func expansion() async throws {
        try await withCollector { collector in
            let file = Self.envelope("attachment", [UInt8](repeating: 0x20, count: 20 << 20))
            let small = Self.envelope("attachment", [UInt8](repeating: 0x20, count: 200_000))
            let bodies = [
                ("gzip", Self.gzip(file), 200), ("zstd", Self.zstd(file), 413), ("zstd", Self.zstd(small), 200),
            ]
            for (coding, body, status) in bodies {
                let answer = try await collector.send(envelope: body, headers: ["Content-Encoding": coding])
                #expect(answer.status == status, "\(coding): \(body.count) bytes")
            }
        }
    }

    @Test("Item headers with long lists are refused")
    func itemHeaders() async throws {
        try await withCollector { collector in
            let peak = try PeakMemory(of: collector.program.processID)
            let list = "[0" + String(repeating: ",0", count: 7_000) + "]"
            let line = "{\"type\":\"x\",\"length\":0,\"a\":\(list)}\n\n"
            let body = Self.gzip(Array(("{}\n" + String(repeating: line, count: 250)).utf8))
            let answer = try await collector.send(envelope: body, headers: ["Content-Encoding": "gzip"])
            #expect(answer.status == 400)
            #expect(peak.stop() < Self.maxResident)
        }
    }

    @Test("Connections that declare large bodies and send nothing do not reserve memory")
    func declaredBodies() async throws {
        try await withCollector { collector in
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            for length in [20 << 20, 4 << 20, 20 << 20, 20 << 20] {
                let connection = try LoopbackSocket.connect(port: collector.port)
                let head = """
                    POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\
                    X-Sentry-Auth: Sentry sentry_version=7, sentry_key=\(TestCollector.publicKey)\r\n\r\n{}\n
                    """
                _ = head.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                open.append(connection)
            }
            let reserved = try await eventually {
                try await collector.metric("whorl_memory_reserved_bytes{budget=\"received\"}") ?? 0 > 0
            }
            #expect(reserved)
            // Requests that only declare a body reserve nothing, however many there are.
            for _ in 0..<600 {
                let connection = try LoopbackSocket.connect(port: collector.port)
                let head = """
                    POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\
                    X-Sentry-Auth: Sentry sentry_version=7, sentry_key=\(TestCollector.publicKey)\r\n\r\n
                    """
                _ = head.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                open.append(connection)
            }
            #expect(try await collector.metric("whorl_memory_reserved_bytes{budget=\"received\"}") ?? .infinity < 1e6)
            for _ in 0..<10 {
                let start = ContinuousClock.now
                #expect(try await collector.send(event: ["message": "small"]).status == 200)
                #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
            }
            // A large body of another sender is accepted too.
            let large = Self.envelope("attachment", [UInt8](repeating: 7, count: 15 << 20))
            #expect(try await collector.send(envelope: large).status == 200)
        }
    }

    @Test("Many concurrent large bodies of one sender are all accepted, one after another")
    func manyAtOnce() async throws {
        try await withCollector { collector in
            let wide = Array(
                "{\"extra\":{\"a\":[\(Array(repeating: "1", count: 390_000).joined(separator: ","))]}}".utf8
            )
            let file = Self.envelope("attachment", [UInt8](repeating: 7, count: 4 << 20))
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<32 {
                    group.addTask {
                        if index % 2 == 0 { return try await collector.send(envelope: file).status }
                        return try await TestHTTP(port: collector.port)
                            .send("POST", "/api/1/store/?sentry_key=\(TestCollector.publicKey)", body: wide).status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            for budget in ["received", "inflated", "working"] {
                let isFree = try await eventually {
                    try await collector.metric("whorl_memory_reserved_bytes{budget=\"\(budget)\"}") == 0
                }
                #expect(isFree, "\(budget)")
            }
        }
    }

    @Test("Incomplete heads hold at most 16 KiB each")
    func openHeads() async throws {
        try await withCollector { collector in
            let peak = try PeakMemory(of: collector.program.processID)
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            let head = "GET / HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "a", count: 78_000)
            for _ in 0..<900 {
                let connection = try LoopbackSocket.connect(port: collector.port)
                _ = head.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                open.append(connection)
            }
            #expect(try await collector.send(event: ["message": "small"]).status == 200)
            #expect(peak.stop() < 160e6)
        }
    }

    @Test("Incomplete small bodies of unknown senders do not keep events of others from being stored")
    func heldBodies() async throws {
        try await withCollector { collector in
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            let head = "POST /api/3/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n{}\n"
            let bytes = Array(head.utf8) + [UInt8](repeating: 0x61, count: 60_000)
            for index in 0..<800 {
                let connection = try LoopbackSocket.connect(port: collector.port, from: "127.0.1.\(1 + index % 4)")
                open.append(connection)
                // MSG_DONTWAIT, because the collector may stop reading.
                _ = bytes.withUnsafeBytes {
                    send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | 0x40)
                }
            }
            for _ in 0..<20 {
                let start = ContinuousClock.now
                #expect(try await collector.send(event: ["message": "small"]).status == 200)
                #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
            }
            let held = try await collector.metric("whorl_memory_reserved_bytes{budget=\"received\"}")
            #expect(held ?? .infinity < 30e6)
        }
    }

    @Test("Heads with many fields are refused, and pipelined requests wait as bytes until earlier responses are read")
    func manyFields() async throws {
        try await withCollector { collector in
            let peak = try PeakMemory(of: collector.program.processID)
            let fields = "GET /livez HTTP/1.1\r\nHost: x\r\n" + String(repeating: "a:\r\n", count: 3_000)
            let refused = try await RawExchange.run(port: collector.port, Array(fields.utf8), then: .read, limit: 5)
            #expect(refused.answers.map(\.status) == [431])
            let many = "GET /livez HTTP/1.1\r\nHost: x\r\n" + (0..<95).map { "X-\($0): 1\r\n" }.joined()
            let taken = try await RawExchange.run(
                port: collector.port,
                Array((many + "Connection: close\r\n\r\n").utf8),
                then: .read,
                limit: 5
            )
            #expect(taken.answers.map(\.status) == [200])
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            let pipelined = String(repeating: "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", count: 1_500)
            for index in 0..<600 {
                // A separate address, because requests are limited per address.
                let connection = try LoopbackSocket.connect(
                    port: collector.port,
                    from: "127.0.0.2",
                    receiveBuffer: 4_096
                )
                open.append(connection)
                let text = index % 20 == 0 ? pipelined : fields
                _ = text.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
            }
            #expect(try await collector.send(event: ["message": "small"]).status == 200)
            #expect(peak.stop() < 160e6)
            // A client that reads its responses gets all of them.
            let count = 300
            let last = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            let one = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
            let all = try await RawExchange.run(
                port: collector.port,
                Array((String(repeating: one, count: count) + last).utf8),
                then: .read,
                limit: 20
            )
            #expect(all.answers.count == count + 1)
        }
    }

    @Test("A wrong key is refused after 64 KiB of the body, not at its end")
    func unknownKey() async throws {
        try await withCollector { collector in
            let connection = try LoopbackSocket.connect(port: collector.port)
            defer { close(connection) }
            let head = """
                POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\
                X-Sentry-Auth: Sentry sentry_version=7, sentry_key=\(String(repeating: "9", count: 32))\r\n\r\n
                """
            let bytes = Array(head.utf8) + [UInt8](repeating: 0x20, count: 200_000)
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...]
                    .withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                if count <= 0 { break }
                sent += count
            }
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = recv(connection, &buffer, buffer.count, 0)
            #expect(String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self).hasPrefix("HTTP/1.1 403"))
        }
    }

    @Test("The memory of a decoded body is released before the request waits for the database")
    func released() async throws {
        try await withCollector { collector in
            #expect(try await collector.send(event: ["message": "first"]).status == 200)
            let peak = try PeakMemory(of: collector.program.processID)
            let holder = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            try await holder.script("BEGIN; LOCK TABLE issue", deadline: .now + .seconds(10))
            // With some noise, because a coding may expand at most a thousandfold.
            let noise = (0..<4_096).map { _ in UInt8.random(in: 0...255) }
            let large = Self.envelope(
                "attachment",
                (0..<(20 << 20)).map { $0 % 400 == 0 ? noise[$0 / 400 % 4_096] : 7 }
            )
            let event = Array("{\"message\":\"with an attachment\"}".utf8)
            let item = Array("{\"type\":\"event\",\"length\":\(event.count)}\n".utf8) + event + [0x0A]
            try await withThrowingTaskGroup(of: Int.self) { group in
                for (coding, body) in [("gzip", Self.gzip(large + item)), ("zstd", Self.zstd(large + item))] {
                    group.addTask {
                        try await collector.send(envelope: body, headers: ["Content-Encoding": coding]).status
                    }
                }
                // While both requests wait for the lock, no memory is reserved for their bodies.
                let isWaiting = try await eventually(within: .seconds(30)) {
                    let statement = PostgresStatement(
                        "test",
                        "SELECT 1 AS one FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                    )
                    return try await holder.execute(statement, deadline: .now + .seconds(5)).first != nil
                }
                #expect(isWaiting)
                let isFree = try await eventually(within: .seconds(20)) {
                    try await collector.metric("whorl_memory_reserved_bytes{budget=\"inflated\"}") == 0
                }
                #expect(isFree)
                for try await status in group { #expect(status == 200) }
            }
            try await holder.script("ROLLBACK", deadline: .now + .seconds(10))
            await holder.close()
            #expect(peak.stop() < Self.maxResident)
        }
    }

    @Test("Thirty concurrent decompression bombs stay below the memory limit and do not block small requests")
    func bombs() async throws {
        try await withCollector { collector in
            let peak = try PeakMemory(of: collector.program.processID)
            let zeros = [UInt8](repeating: 0x20, count: 200 << 20)
            let bodies = [("gzip", Self.gzip(zeros)), ("zstd", Self.zstd(zeros))]
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<30 {
                    let (coding, body) = bodies[index % bodies.count]
                    group.addTask {
                        try await collector.send(envelope: body, headers: ["Content-Encoding": coding]).status
                    }
                }
                for _ in 0..<5 {
                    #expect(try await collector.send(event: ["message": "small"]).status == 200)
                }
                for try await status in group { #expect([413, 503].contains(status)) }
            }
            #expect(peak.stop() < Self.maxResident)
            try await collector.expectFreeThreadPool()
        }
    }
}
