import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("Project limits over HTTP")
struct LimitsHTTPTests {
    private let project = "/api/0/projects/acme/web/"

    /// Changes settings, and waits until the collector applies them.
    private func change(
        _ collector: TestCollector,
        _ path: String,
        _ body: JSON,
        until: () async throws -> Bool
    ) async throws {
        let answer = try await collector.http.send("PUT", path, json: body)
        #expect(answer.status == 200, "\(answer.text)")
        let isNoticed = try await eventually(within: .seconds(10), until)
        #expect(isNoticed)
    }

    @Test("A key over its limit gets 429 with rate limit headers; other projects and client reports are not limited")
    func keyLimit() async throws {
        try await withCollector { collector in
            let other =
                try await
                collector.http
                .send("POST", "/api/0/organizations/acme/projects/", json: ["name": "other"]).json()["slug"]?
                .string ?? ""
            let otherKey =
                try await collector.http.get("/api/0/projects/acme/\(other)/keys/").json().array?.first?["public"]?
                .string ?? ""
            try await change(
                collector,
                project + "keys/\(TestCollector.publicKey)/",
                ["rateLimit": ["count": 5, "window": 3_600]]
            ) {
                try await collector.send(event: ["message": "flood"]).status == 429
            }
            let refused = try await collector.send(event: ["message": "flood"])
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"].flatMap { Int($0) }.map { (1...3_600).contains($0) } == true)
            #expect(refused.headers["x-sentry-rate-limits"]?.hasSuffix("::key:quota_exceeded") == true)
            // A client report is accepted, and its response also contains the rate limit.
            let report =
                #"{}"# + "\n" + #"{"type":"client_report"}"# + "\n"
                + #"{"discarded_events":[{"reason":"ratelimit_backoff","category":"error","quantity":3}]}"#
            let taken = try await collector.send(envelope: Array(report.utf8))
            #expect(taken.status == 200)
            #expect(taken.headers["x-sentry-rate-limits"] != nil)
            let auth = ["X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=\(otherKey)"]
            let free = try await TestHTTP(port: collector.port)
                .send(
                    "POST",
                    "/api/2/envelope/",
                    headers: auth,
                    body: Array("{}\n{\"type\":\"event\"}\n{\"message\":\"x\"}".utf8)
                )
            #expect(free.status == 200)
            // Far above the limit the body is not read: even an invalid envelope is answered with 429.
            for _ in 0..<60 { _ = try await collector.send(event: ["message": "flood"]) }
            #expect(try await collector.send(envelope: Array("not an envelope".utf8)).status == 429)
            #expect(
                try await collector.metric(
                    #"whorl_ingest_items_total{type="event",outcome="rate_limited",reason="quota_exceeded"}"#
                ) ?? 0 > 50
            )
        }
    }

    @Test("Every item has one outcome, stats_v2 sums them, and a dropped event is found by its id")
    func outcomes() async throws {
        try await withCollector { collector in
            try await change(collector, project + "filters/localhost/", ["active": true]) {
                let id = EventID.random()
                _ = try await collector.send(event: ["request": ["url": "http://localhost/"]], id: id)
                return try await collector.http.get(project + "events/\(id.hex)/").status == 404
            }
            let start = Date()
            let dropped = EventID.random()
            let kept = EventID.random()
            #expect(
                try await collector.send(event: ["request": ["url": "http://localhost/"]], id: dropped).status == 200
            )
            for _ in 0..<3 { #expect(try await collector.send(event: ["message": "kept"], id: kept).status == 200) }
            #expect(try await collector.send(envelope: Array("{}\n{\"type\":\"event\"}\n{bad".utf8)).status == 400)
            let lookup = "/api/0/organizations/acme/eventids/\(dropped.hex)/"
            let isRemembered = try await eventually { try await collector.http.get(lookup).status == 200 }
            #expect(isRemembered)
            let answer = try await collector.http.get(lookup).json()
            #expect(answer["dropped"]?["outcome"] == "filtered" && answer["dropped"]?["reason"] == "localhost")
            #expect(
                try await collector.http.get("/api/0/organizations/acme/eventids/\(kept.hex)/").json()["groupId"]
                    != .null
            )
            let stats = try await collector.http
                .get(
                    "/api/0/organizations/acme/stats_v2/?field=sum(quantity)&groupBy=outcome&groupBy=reason&category=error&interval=1h"
                )
                .json()
            func sum(_ outcome: String, _ reason: String) -> Int? {
                stats["groups"]?.array?
                    .first { $0["by"]?["outcome"] == .string(outcome) && $0["by"]?["reason"] == .string(reason) }?[
                        "totals"
                    ]?[
                        "sum(quantity)"
                    ]?
                    .int
            }
            #expect(sum("invalid", "duplicate") == 2)
            #expect(sum("invalid", "invalid_json") == 1)
            #expect((sum("filtered", "localhost") ?? 0) >= 1)
            #expect((sum("accepted", "none") ?? 0) >= 1)
            #expect(Date().timeIntervalSince(start) < 60)
            #expect(try await collector.http.get("/api/0/organizations/acme/stats_v2/?interval=1s").status == 400)
            #expect(try await collector.http.get("/api/0/organizations/acme/stats_v2/?groupBy=password").status == 400)
        }
    }

    @Test("Origins and addresses that are not allowed are refused; others are accepted")
    func allowLists() async throws {
        try await withCollector(environment: ["WHORL_TRUSTED_PROXIES": "127.0.0.1"]) { collector in
            let body = Array("{}\n{\"type\":\"event\"}\n{\"message\":\"x\"}".utf8)
            try await change(
                collector,
                project,
                [
                    "allowedDomains": ["*.shop.example", "https://app.example"],
                    "options": ["whorl:allowed_addresses": ["198.51.100.0/24"]],
                ]
            ) {
                try await collector.send(envelope: body, headers: ["X-Forwarded-For": "203.0.113.1"]).status == 403
            }
            func status(_ origin: String?, _ address: String) async throws -> Int {
                var headers = ["X-Forwarded-For": address]
                headers["Origin"] = origin
                return try await collector.send(envelope: body, headers: headers).status
            }
            let good = "198.51.100.9"
            let statuses = [
                try await status("https://www.shop.example", good), try await status("https://app.example", good),
                try await status(nil, good), try await status("https://evil.example", good),
                try await status("https://www.shop.example.evil.example", good),
                try await status("https://www.shop.example", "198.51.101.9"),
            ]
            #expect(statuses == [200, 200, 200, 403, 403, 403])
        }
    }

    @Test("Settings are read back as written, and invalid ones are refused with a reason")
    func settings() async throws {
        try await withCollector { collector in
            let set: JSON = [
                "dataScrubber": true, "scrubIPAddresses": true, "sensitiveFields": ["shoe"], "safeFields": [],
                "options": [
                    "filters:releases": "1.*\n2.0", "filters:blacklisted_ips": "10.0.0.0/8",
                    "whorl:quotas": [["window": "month", "count": 1_000_000, "categories": ["error"]]],
                ],
            ]
            #expect(try await collector.http.send("PUT", project, json: set).status == 200)
            let read = try await collector.http.get(project).json()
            #expect(read["scrubIPAddresses"] == true && read["sensitiveFields"] == ["shoe"])
            #expect(read["options"]?["filters:releases"] == "1.*\n2.0")
            #expect(read["options"]?["whorl:quotas"]?.array?.first?["count"] == 1_000_000)
            let bad: [JSON] = [
                ["dataScrubber": "yes"], ["options": ["filters:blacklisted_ips": "10.0.0.0/99"]],
                ["options": ["whorl:quotas": [["window": "day", "count": 1]]]],
                ["sensitiveFields": [.string(String(repeating: "x", count: 500))]],
            ]
            for body in bad {
                let answer = try await collector.http.send("PUT", project, json: body)
                #expect(answer.status == 400)
                #expect(try answer.json()["detail"]?.string?.isEmpty == false)
            }
            #expect(try await collector.http.get(project).json() == read)
        }
    }

    @Test("An issue with many events keeps every event and count, but a limited number of payloads")
    func flood() async throws {
        try await withCollector(environment: ["WHORL_PAYLOADS_PER_MINUTE": "5"]) { collector in
            var ids: [EventID] = []
            for number in 0..<30 {
                let id = EventID.random()
                ids.append(id)
                let event: JSON = [
                    "message": "flood", "tags": ["n": .string("\(number % 3)")],
                    "user": ["id": .string("\(number % 4)")],
                ]
                #expect(try await collector.send(event: event, id: id).status == 200)
            }
            #expect(try await collector.send(event: ["message": "flood"], id: ids[29]).status == 200)
            let issue = try await collector.http.get("/api/0/issues/1/").json()
            #expect(issue["count"] == "30" && issue["userCount"] == 4)
            // The thirty events can fall into two different minutes.
            let thin = issue["thinEvents"]?.int ?? 0
            #expect(thin == 25 || thin == 20)
            let last = try await collector.http.get(project + "events/\(ids[29].hex)/").json()
            #expect(last["hasNoPayload"] == true && last["title"] == "flood")
            #expect(try await collector.http.get(project + "events/\(ids[0].hex)/").json()["hasNoPayload"] == false)
            let values = try await collector.http.get("/api/0/issues/1/tags/n/").json()["topValues"]?.array ?? []
            #expect(values.map { $0["count"]?.int } == [10, 10, 10])
        }
    }

    @Test("An address that guesses keys is blocked for wrong keys; a valid key still works")
    func guessing() async throws {
        try await withCollector(environment: ["WHORL_BAD_CREDENTIALS_PER_MINUTE": "20"]) { collector in
            var statuses: Set<Int> = []
            for number in 0..<60 {
                let key = String(repeating: "0", count: 24) + String(10_000_000 + number)
                statuses.insert(
                    try await collector.send(
                        envelope: Array("{}\n".utf8),
                        headers: ["X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=\(key)"]
                    )
                    .status
                )
            }
            #expect(statuses == [403, 429])
            #expect(try await collector.send(event: ["message": "good"]).status == 200)
        }
    }

    @Test("Ten thousand aborted requests leak no descriptors, tasks or memory")
    func aborted() async throws {
        try await withCollector { collector in
            let body = Array("{}\n{\"type\":\"event\"}\n{\"message\":\"x\"}".utf8)
            let head = "POST /api/1/envelope/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
            _ = try await collector.send(envelope: body)
            let descriptors = try await collector.metric("process_open_fds") ?? 0
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for number in 0..<1_250 {
                            let part = Array(head.utf8) + body.prefix(number % 30)
                            _ = try? await RawExchange.run(port: collector.port, part, then: .reset, limit: 2)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let isClean = try await eventually {
                let open = try await collector.metric("process_open_fds") ?? 999
                let connections = try await collector.metric("whorl_http_connections") ?? 999
                return open <= descriptors + 3 && connections <= 2
            }
            #expect(isClean)
            #expect(try await collector.metric("process_resident_memory_bytes") ?? 0 < 300e6)
            #expect(try await collector.send(envelope: body).status == 200)
        }
    }
}
