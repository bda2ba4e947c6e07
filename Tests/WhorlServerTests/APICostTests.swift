import Foundation
import Glibc
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("Cost of API requests", .serialized)
struct APICostTests {
    private let project = "/api/0/projects/acme/web/"

    @Test("A page of large events is cut by size, and its cursors lead through all events in both directions")
    func pageBytes() async throws {
        try await withCollector { collector in
            var sent: [String] = []
            for index in 0..<24 {
                let id = EventID.random()
                sent.append(id.hex)
                let extra = (0..<100).map { ("k\($0)", JSON.string(String(repeating: "y", count: 7_000))) }
                let event: JSON = ["message": .string("large \(index)"), "extra": .object(extra)]
                #expect(try await collector.send(event: event, id: id).status == 200)
            }
            var path = project + "events/?full=1"
            var seen: [String] = []
            var back = ""
            for _ in 0..<20 {
                let page = try await collector.http.get(path)
                #expect(page.status == 200)
                #expect(page.body.count <= 9 << 20)
                let ids = try page.json().array?.compactMap { $0["id"]?.string } ?? []
                #expect(!ids.isEmpty && ids.count < 24)
                seen += ids
                let links = page.headers["link"]?.components(separatedBy: ", ") ?? []
                let next = try #require(links.first { $0.contains("rel=\"next\"") })
                guard next.contains("results=\"true\"") else {
                    back = try #require(links.first { $0.contains("rel=\"previous\"") })
                    break
                }
                path = project + "events/?full=1&cursor=" + (try #require(cursor(next)))
            }
            #expect(seen.count == 24 && Set(seen) == Set(sent))
            var earlier: [String] = []
            while back.contains("results=\"true\"") {
                let page = try await collector.http.get(
                    project + "events/?full=1&cursor=" + (try #require(cursor(back)))
                )
                let ids = try page.json().array?.compactMap { $0["id"]?.string } ?? []
                #expect(!ids.isEmpty)
                earlier = ids + earlier
                back =
                    page.headers["link"]?.components(separatedBy: ", ").first { $0.contains("rel=\"previous\"") } ?? ""
            }
            #expect(earlier == Array(seen.prefix(earlier.count)))
            #expect(earlier.count >= 24 - 12)
            try await collector.expectFreeThreadPool()
        }
    }

    private func cursor(_ link: String) -> String? {
        link.components(separatedBy: "cursor=\"").last?.split(separator: "\"").first.map(String.init)
    }

    @Test("Incompressible events are read a few at a time, in lists, previews and comparisons")
    func incompressible() async throws {
        try await withCollector { collector in
            var ids: [String] = []
            for index in 0..<40 {
                let extra = (0..<110)
                    .map { key in
                        let bytes = (0..<6_000).map { _ in UInt8.random(in: 0...255) }
                        return ("k\(key)", JSON.string(Data(bytes).base64EncodedString()))
                    }
                let event: JSON = [
                    "message": .string("random \(index)"), "extra": .object(extra),
                    "fingerprint": [.string("f\(index)")],
                    "exception": ["values": [["type": "E", "stacktrace": ["frames": [["function": "f"]]]]]],
                ]
                let id = EventID.random()
                ids.append(id.hex)
                #expect(try await collector.send(event: event, id: id).status == 200)
            }
            let peak = try PeakMemory(of: collector.program.processID)
            let statuses = try await withThrowingTaskGroup(of: [String].self) { group in
                // As many requests as one token may run at once, so that none of them waits.
                for _ in 0..<2 {
                    group.addTask {
                        let page = try await collector.http.get(project + "events/")
                        #expect(page.status == 200)
                        #expect(page.headers["link"]?.contains("rel=\"next\"; results=\"false\"") ?? false)
                        return try page.json().array?.compactMap { $0["id"]?.string } ?? []
                    }
                }
                return try await group.reduce(into: [[String]]()) { $0.append($1) }
            }
            #expect(statuses.allSatisfy { $0 == ids.reversed() })
            // Pages of fifteen are read in parts because of their size, and lead through all events in both directions.
            var path = project + "events/?per_page=15"
            var pages: [[String]] = []
            for relation in ["next", "next", "previous", "previous"] {
                let page = try await collector.http.get(path)
                pages.append(try page.json().array?.compactMap { $0["id"]?.string } ?? [])
                let links = page.headers["link"]?.components(separatedBy: ", ") ?? []
                let link = try #require(links.first { $0.contains("rel=\"\(relation)\"") })
                path = project + "events/?per_page=15&cursor=" + (try #require(cursor(link)))
            }
            let all = Array(ids.reversed())
            let thirds = [Array(all[..<15]), Array(all[15..<30]), Array(all[30...])]
            #expect(pages == thirds + [thirds[1]])
            let issue = try #require(
                try await collector.http.get(project + "issues/").json().array?.first?["id"]?.string
            )
            let similar = try await collector.http.get("/api/0/issues/\(issue)/similar/?limit=100")
            #expect(similar.status == 200)
            #expect(try similar.json().array?.count == 20, "all events have the same frame")
            let rules: JSON = ["groupingEnhancements": "stack.function:f1 -group"]
            let preview = try await collector.http.send("POST", project + "grouping/preview/", json: rules)
            #expect(preview.status == 200)
            #expect(try preview.json()["events"]?.int == 40, "\(preview.text)")
            #expect(peak.stop() < TestCollector.maxMemory)
            try await collector.expectFreeThreadPool()
        }
    }

    @Test("Clients that do not read their responses hold a bounded amount of memory and do not delay others")
    func slowReaders() async throws {
        try await withCollector { collector in
            for index in 0..<12 {
                let extra = (0..<100).map { ("k\($0)", JSON.string(String(repeating: "y", count: 7_000))) }
                let event: JSON = ["message": .string("large \(index)"), "extra": .object(extra)]
                #expect(try await collector.send(event: event).status == 200)
            }
            var tokens: [String] = []
            for _ in 0..<8 { tokens.append(try await collector.makeToken()) }
            let peak = try PeakMemory(of: collector.program.processID)
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            // Eighteen requests per token: two are processed and sixteen wait.
            for token in tokens {
                for _ in 0..<18 {
                    open.append(
                        try openWithoutReading(
                            collector.port,
                            "\(project)events/?full=1",
                            "Authorization: Bearer \(token)\r\n"
                        )
                    )
                }
            }
            #expect(
                try await eventually { try await collector.metric("whorl_answer_memory_reserved_bytes") ?? 0 > 8e6 }
            )
            for _ in 0..<20 {
                let start = ContinuousClock.now
                #expect(try await collector.http.get(project + "issues/").status == 200)
                #expect(try await collector.send(event: ["message": "small"]).status == 200)
                #expect(start.duration(to: .now) < scaledBound(.seconds(TestCollector.isRelease ? 2 : 10)))
            }
            #expect(try await collector.metric("whorl_answer_memory_reserved_bytes") ?? .infinity < 50e6)
            #expect(peak.stop() < TestCollector.maxMemory)
            try await collector.expectFreeThreadPool()
            for connection in open { close(connection) }
            open = []
            #expect(try await eventually { try await collector.metric("whorl_answer_memory_reserved_bytes") == 0 })
        }
    }

    @Test("Unauthenticated clients that do not read share one text in memory, and liveness checks are not delayed")
    func openReaders() async throws {
        try await withCollector { collector in
            // The metrics text is as long as with a few hundred projects.
            for index in 0..<900 {
                let event: JSON = ["message": "x", "environment": .string("e\(index)")]
                #expect(try await collector.send(event: event).status == 200)
            }
            let peak = try PeakMemory(of: collector.program.processID)
            var open: [Int32] = []
            defer { for connection in open { close(connection) } }
            for index in 0..<800 {
                let path = index % 4 == 0 ? "/api/0/openapi.json" : "/metrics"
                open.append(try openWithoutReading(collector.port, path, ""))
            }
            for _ in 0..<20 {
                let start = ContinuousClock.now
                #expect(try await TestHTTP(port: collector.port).get("/livez").status == 200)
                #expect(start.duration(to: .now) < scaledBound(.seconds(TestCollector.isRelease ? 0.5 : 5)))
            }
            #expect(peak.stop() < TestCollector.maxMemory)
            try await collector.expectFreeThreadPool()
        }
    }

    /// Opens a connection that sends a request and does not read the response.
    private func openWithoutReading(_ port: Int, _ path: String, _ fields: String) throws -> Int32 {
        let connection = try LoopbackSocket.connect(port: port, receiveBuffer: 4_096)
        let head = "GET \(path) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
        _ = head.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        return connection
    }

    @Test("A preview with rules that take too long is refused and names the rule")
    func preview() async throws {
        try await withCollector { collector in
            let path = String(repeating: "a", count: 1_900)
            let frames = (0..<200)
                .map { index -> JSON in
                    ["abs_path": .string(path + String(index)), "function": .string("f\(index)")]
                }
            let event: JSON = [
                "exception": ["values": [["type": "E", "value": "x", "stacktrace": ["frames": .array(frames)]]]]
            ]
            for _ in 0..<3 { #expect(try await collector.send(event: event).status == 200) }
            let rules = (0..<200).map { "stack.abs_path:*\(String(repeating: "a", count: 150))\($0)b* -app" }
            let body: JSON = ["groupingEnhancements": .string(rules.joined(separator: "\n"))]
            let start = ContinuousClock.now
            let answer = try await collector.http.send("POST", project + "grouping/preview/", json: body)
            #expect(answer.status == 422)
            #expect(answer.text.contains("stack.abs_path:*aaa"))
            #expect(start.duration(to: .now) < scaledBound(.seconds(5)))
            let plain: JSON = ["groupingEnhancements": "stack.function:f1 -group"]
            #expect(try await collector.http.send("POST", project + "grouping/preview/", json: plain).status == 200)
            try await collector.expectFreeThreadPool()
        }
    }

    @Test("Names that expand exponentially stay unchanged and do not affect others")
    func names() async throws {
        try await withCollector { collector in
            let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            let name = (0..<25).reduce("_Z1fSt4pairIiiE") { $0 + "S_IS\(digits[$1])_S\(digits[$1])_E" }
            let event: JSON = [
                "platform": "native",
                "exception": [
                    "values": [
                        [
                            "type": .string(name), "value": "x",
                            "stacktrace": ["frames": [["function": .string(name)], ["function": "_ZN4shop3payEv"]]],
                        ]
                    ]
                ],
            ]
            let before = try await collector.metric("process_resident_memory_bytes") ?? 0
            let id = EventID.random()
            let start = ContinuousClock.now
            #expect(try await collector.send(event: event, id: id).status == 200)
            for _ in 0..<30 { #expect(try await collector.send(event: event).status == 200) }
            #expect(start.duration(to: .now) < scaledBound(.seconds(10)))
            let shown = try await collector.http.get(project + "events/\(id.hex)/")
            #expect(shown.status == 200 && shown.text.contains(name))
            #expect((try await collector.metric("process_resident_memory_bytes") ?? 0) - before < 64e6)
            let readable: JSON = [
                "platform": "native",
                "exception": [
                    "values": [
                        ["type": "E", "stacktrace": ["frames": [["function": "_ZN4shop4Cart5totalEv"]]]]
                    ]
                ],
            ]
            let other = EventID.random()
            #expect(try await collector.send(event: readable, id: other).status == 200)
            let culprit = try await collector.http.get(project + "events/\(other.hex)/").json()["culprit"]?.string
            #expect(culprit == "shop::Cart::total()")
            try await collector.expectFreeThreadPool()
        }
    }
}
