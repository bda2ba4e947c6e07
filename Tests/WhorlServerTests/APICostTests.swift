import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("What a token may cost", .serialized)
struct APICostTests {
    private let project = "/api/0/projects/acme/web/"

    @Test("A page of large events ends early, and its cursor leads through all of them in both directions")
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

    @Test("A preview with rules that take too long is refused with the rule; one runs at a time for a project")
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
            #expect(start.duration(to: .now) < .seconds(5))
            let plain: JSON = ["groupingEnhancements": "stack.function:f1 -group"]
            #expect(try await collector.http.send("POST", project + "grouping/preview/", json: plain).status == 200)
            try await collector.expectFreeThreadPool()
        }
    }

    @Test("Names that expand without end are kept as they are, at no cost to anybody else")
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
            #expect(start.duration(to: .now) < .seconds(10))
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
