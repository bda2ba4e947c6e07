import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("Captured requests of real SDKs")
struct CaptureReplayTests {
    @Test("Every captured ingest request is answered, counted and stored as the protocol requires")
    func ingest() async throws {
        let expectations = try Capture.expectations()
        let captures = try Capture.all().filter(\.isIngest)
        #expect(captures.count == 210)
        try await withCollector { collector in
            for capture in captures {
                let expected = try #require(expectations[capture.name], "\(capture.name)")
                let before = try await Self.itemCounts(collector)
                let answer = try await TestHTTP(port: collector.port).raw(capture.wireBytes)
                #expect(answer.status == expected["status"]?.int, "\(capture.name)")
                #expect(answer.headers["access-control-allow-origin"] == "*", "\(capture.name)")
                #expect(answer.headers["content-type"] == "application/json", "\(capture.name)")
                try Self.checkID(answer, expected, capture.name)
                let counted = try await Self.itemCounts(collector)
                    .merging(before.mapValues { -$0 }) { $0 + $1 }.filter { $0.value != 0 }
                #expect(counted == Self.wantedCounts(expected), "\(capture.name)")
                if let event = expected["event"], let id = expected["id"]?.string {
                    try await Self.checkStored(collector, id, event, capture.name)
                }
            }
        }
    }

    @Test("Captured API requests to unsupported routes are answered with a JSON 404")
    func unserved() async throws {
        let unserved = try String(contentsOfFile: Capture.folder + "/not-yet-served.txt", encoding: .utf8)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
        try await withCollector { collector in
            for capture in try Capture.all() where !capture.isIngest {
                let route = "\(capture.method) \(capture.path.prefix { $0 != "?" })"
                var request = capture.wireBytes
                request = Self.withToken(request)
                let answer = try await TestHTTP(port: collector.port).raw(request)
                #expect(answer.headers["content-type"] == "application/json", "\(capture.name)")
                if unserved.contains(route) {
                    #expect(answer.status == 404, "\(capture.name)")
                    #expect(try answer.json()["detail"] != nil, "\(capture.name)")
                } else if capture.method == "PUT",
                    capture.path.hasSuffix("/issues/") || capture.path.hasSuffix("/issues/?")
                {
                    // `sentry-cli issues … --all` sends no issue ids; a request without a selection is refused.
                    #expect(answer.status == 400, "\(capture.name)")
                } else {
                    #expect((200..<300).contains(answer.status), "\(capture.name): \(route) \(answer.status)")
                }
            }
        }
    }

    /// Replaces the placeholder token of a captured request with the collector's token.
    private static func withToken(_ bytes: [UInt8]) -> [UInt8] {
        guard let end = bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A]) else { return bytes }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
            .filter { !$0.lowercased().hasPrefix("authorization:") }
        let head = (lines + ["authorization: Bearer \(TestCollector.token)"]).joined(separator: "\r\n")
        return Array(head.utf8) + bytes[end.lowerBound...]
    }

    private static func checkID(_ answer: TestAnswer, _ expected: JSON, _ name: String) throws {
        guard answer.status == 200 else {
            #expect(try answer.json()["detail"]?.string != nil, "\(name)")
            return
        }
        let id = try answer.json()["id"]?.string
        switch expected["id"]?.string {
        case "generated": #expect(id.flatMap { EventID($0) } != nil, "\(name)")
        case let wanted: #expect(id == wanted, "\(name)")
        }
    }

    /// The number of items so far, by `type/outcome/reason`.
    private static func itemCounts(_ collector: TestCollector) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for line in try await TestHTTP(port: collector.port).get("/metrics").text.split(separator: "\n")
        where line.hasPrefix("whorl_ingest_items_total{") {
            let words = line.split(separator: "\"")
            guard words.count == 7, let count = Int(words[6].drop { $0 != " " }.dropFirst()) else { continue }
            counts["\(words[1])/\(words[3])/\(words[5])"] = count
        }
        return counts
    }

    private static func wantedCounts(_ expected: JSON) -> [String: Int] {
        var counts: [String: Int] = [:]
        for item in expected["items"]?.array ?? [] {
            counts[(item.array ?? []).compactMap(\.string).joined(separator: "/"), default: 0] += 1
        }
        return counts
    }

    private static func checkStored(
        _ collector: TestCollector,
        _ id: String,
        _ expected: JSON,
        _ name: String
    ) async throws {
        let answer = try await collector.http.get("/api/0/projects/acme/web/events/\(id)/")
        try #require(answer.status == 200, "\(name)")
        let event = try answer.json()
        #expect(event["eventID"]?.string == id, "\(name)")
        for key in ["level", "type", "platform", "environment"] {
            #expect(event[key] == expected[key], "\(name): \(key)")
        }
        #expect(event["release"]?["version"]?.string == expected["release"]?.string, "\(name)")
        func entry(_ type: String) -> JSON? {
            event["entries"]?.array?.first { $0["type"]?.string == type }?["data"]
        }
        let exceptions = entry("exception")?["values"]?.array ?? []
        #expect(
            exceptions.map { [$0["type"] ?? .null, $0["value"] ?? .null] }
                == (expected["exceptions"]?.array ?? []).map { $0.array ?? [] },
            "\(name)"
        )
        #expect(
            exceptions.map { $0["stacktrace"]?["frames"]?.array?.count ?? 0 }
                == (expected["frames"]?.array ?? []).map { min($0.int ?? 0, 250) },
            "\(name)"
        )
        #expect(entry("breadcrumbs")?["values"]?.array?.count ?? 0 == expected["breadcrumbs"]?.int, "\(name)")
        let title = event["title"]?.string ?? ""
        if let last = expected["exceptions"]?.array?.last?.array, let type = last.first?.string {
            #expect(title.hasPrefix(type), "\(name): \(title)")
        } else if let message = expected["message"]?.string, !message.isEmpty {
            #expect(title.hasPrefix(message.prefix(200)), "\(name): \(title)")
        } else {
            #expect(!title.isEmpty, "\(name)")
        }
    }
}
