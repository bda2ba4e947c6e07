import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Grouping API")
struct GroupingAPITests {
    private let project = "/api/0/projects/acme/web/"

    private func fault(
        _ type: String,
        _ function: String,
        user: String = "7",
        release: String = "shop@1",
        extra: [String] = []
    ) -> JSON {
        let frames = (["outer"] + extra + [function])
            .map { name -> JSON in
                [
                    "function": .string(name), "module": "shop.cart", "filename": "shop/cart.py", "in_app": true,
                    "lineno": 3,
                ]
            }
        return [
            "platform": "python", "release": .string(release), "user": ["id": .string(user)],
            "tags": ["shop": .string(user == "7" ? "eu" : "us")],
            "exception": [
                "values": [["type": .string(type), "value": "x", "stacktrace": ["frames": .array(frames)]]]
            ],
        ]
    }

    private func issues(_ collector: TestCollector) async throws -> [JSON] {
        try await collector.http.get(project + "issues/?query=").json().array ?? []
    }

    private func issue(_ collector: TestCollector, _ id: String) async throws -> JSON {
        try await collector.http.get("/api/0/issues/\(id)/").json()
    }

    /// The values of an issue that must be restored after a merge is undone.
    private func numbers(_ collector: TestCollector, _ id: String) async throws -> [String] {
        let shown = try await issue(collector, id)
        let tags = try await collector.http.get("/api/0/issues/\(id)/tags/").json()
        var numbers = [
            "id", "shortId", "title", "count", "userCount", "firstSeen", "lastSeen", "status", "firstRelease",
            "lastRelease",
        ]
        .map { shown[$0]?.text ?? "" }
        numbers.append(shown["stats"]?["24h"]?.array?.compactMap { $0.array?.last?.int }.reduce(0, +).description ?? "")
        numbers.append(
            tags.array?.map { "\($0["key"]?.text ?? "")=\($0["totalValues"]?.text ?? "")" }.joined(separator: " ") ?? ""
        )
        return numbers
    }

    @Test("Merging moves hashes and new events to one issue, and unmerging restores the original issues")
    func mergeAndUnmerge() async throws {
        try await withCollector { collector in
            for user in ["7", "8"] {
                #expect(try await collector.send(event: fault("A", "first", user: user)).status == 200)
            }
            #expect(try await collector.send(event: fault("B", "second", user: "7", release: "shop@2")).status == 200)
            let list = try await issues(collector)
            let a = try #require(list.first { $0["title"]?.string == "A: x" }?["id"]?.string)
            let b = try #require(list.first { $0["title"]?.string == "B: x" }?["id"]?.string)
            let before = [try await numbers(collector, a), try await numbers(collector, b)]

            let merged = try await collector.http.send("PUT", project + "issues/?id=\(a)&id=\(b)", json: ["merge": 1])
            #expect(merged.status == 200, "\(merged.text)")
            #expect(try merged.json()["merge"]?["parent"]?.string == a)
            let only = try await issues(collector)
            #expect(only.count == 1)
            #expect(only.first?["count"]?.string == "3")
            // A user with events in both issues counts once.
            #expect(only.first?["userCount"]?.int == 2)
            // The id of the merged issue leads to the target issue.
            #expect(try await issue(collector, b)["id"]?.string == a)

            // New events of both kinds join it; a user who is known under the other hash is not counted again.
            #expect(try await collector.send(event: fault("B", "second", user: "8", release: "shop@2")).status == 200)
            let joined = try await issue(collector, a)
            #expect(joined["count"]?.string == "4")
            #expect(joined["userCount"]?.int == 2)
            #expect(
                joined["activity"]?.array?.contains { $0["type"]?.string == "merge" && $0["user"]?["name"] != nil }
                    == true
            )

            let hashes = try await collector.http.get("/api/0/issues/\(a)/hashes/").json().array ?? []
            let foreign = try #require(hashes.first { $0["mergedFrom"]?.string == b }?["id"]?.string)
            let parted = try await collector.http.send("DELETE", "/api/0/issues/\(a)/hashes/?id=\(foreign)")
            #expect(parted.status == 200, "\(parted.text)")
            #expect(try await numbers(collector, a) == before[0])
            let after = try await numbers(collector, b)
            #expect(after[0..<3] == before[1][0..<3])
            // The event that arrived after the merge belongs to its original issue.
            #expect(after[3] == "\"2\"" && after[4] == "2")
            #expect(try await issues(collector).count == 2)
            // The last hash cannot be removed, and neither can a hash of another issue.
            let own = try #require(
                try await collector.http.get("/api/0/issues/\(a)/hashes/").json().array?.first?["id"]?.string
            )
            #expect(try await collector.http.send("DELETE", "/api/0/issues/\(a)/hashes/?id=\(own)").status == 400)
            #expect(try await collector.http.send("DELETE", "/api/0/issues/\(a)/hashes/?id=\(foreign)").status == 400)
            #expect(try await collector.http.send("PUT", project + "issues/?id=\(a)", json: ["merge": 1]).status == 400)
            // The merge is repeated for the following checks.
            _ = try await collector.http.send("PUT", project + "issues/?id=\(a)&id=\(b)", json: ["merge": 1])
            // Reading a merged issue leads to its target; deleting it deletes nothing.
            #expect(try await collector.http.send("DELETE", project + "issues/?id=\(b)").status == 204)
            #expect(try await collector.http.send("DELETE", "/api/0/issues/\(b)/").status == 404)
            #expect(try await issues(collector).count == 1)
            #expect(try await collector.http.send("DELETE", project + "issues/?id=\(a)").status == 204)
            #expect(try await issues(collector).isEmpty)
        }
    }

    @Test("Events that arrive during merges and unmerges are counted in the issue of their hash")
    func mergeUnderLoad() async throws {
        try await withCollector { collector in
            for type in ["A", "B"] { _ = try await collector.send(event: fault(type, type)) }
            let ids = try await issues(collector).compactMap { $0["id"]?.string }
            #expect(ids.count == 2)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        for round in 0..<20 {
                            let type = (number + round) % 2 == 0 ? "A" : "B"
                            let answer = try await collector.send(event: fault(type, type, user: "\(number)"))
                            #expect(answer.status == 200)
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<10 {
                        let merged = try await collector.http.send(
                            "PUT",
                            project + "issues/?id=\(ids[0])&id=\(ids[1])",
                            json: ["merge": 1]
                        )
                        let target = try merged.json()["merge"]?["parent"]?.string ?? ""
                        let hashes = try await collector.http.get("/api/0/issues/\(target)/hashes/").json().array ?? []
                        guard let foreign = hashes.first(where: { $0["mergedFrom"]?.string != nil })?["id"]?.string
                        else {
                            Issue.record("nothing was merged: \(merged.text)")
                            return
                        }
                        let parted = try await collector.http.send(
                            "DELETE",
                            "/api/0/issues/\(target)/hashes/?id=\(foreign)"
                        )
                        #expect(parted.status == 200, "\(parted.text)")
                    }
                }
                try await group.waitForAll()
            }
            for id in ids {
                // Events that waited too long for a lock arrive through the spool.
                let isWhole = try await eventually(within: .seconds(15)) {
                    let shown = try await issue(collector, id)
                    return shown["count"]?.string == "81" && shown["userCount"]?.int == 8
                }
                let shown = try await issue(collector, id)
                #expect(isWhole, "\(shown["count"]?.text ?? "") events, \(shown["userCount"]?.text ?? "") users")
            }
        }
    }

    @Test("The grouping of an event is explained: what contributes, what does not and why, and the rule that applied")
    func explained() async throws {
        try await withCollector { collector in
            let id = EventID.random()
            let event: JSON = [
                "platform": "python",
                "exception": [
                    "values": [
                        [
                            "type": "E", "value": "order 17",
                            "stacktrace": [
                                "frames": [
                                    ["function": "pay", "module": "shop.cart", "in_app": true],
                                    ["function": "call", "module": "lib", "in_app": false],
                                ]
                            ],
                        ]
                    ]
                ],
            ]
            #expect(try await collector.send(event: event, id: id).status == 200)
            let info = try await collector.http.get(project + "events/\(id.hex)/grouping-info/").json()
            let app = info["variants"]?["app"]
            #expect(app?["hash"]?.string == info["hash"]?.string)
            #expect(app?["leading"] == true)
            #expect(app?["component"]?.text.contains("not part of the application") == true)
            #expect(info["variants"]?["system"]?["hash"]?.string != app?["hash"]?.string)
            #expect(info["rule"] == .null)
        }
    }

    @Test("Rules can be previewed, are refused with the line of an error, and apply after they are saved")
    func rules() async throws {
        try await withCollector { collector in
            for type in ["TimeoutA", "TimeoutB", "Other"] {
                #expect(try await collector.send(event: fault(type, type)).status == 200)
            }
            #expect(try await issues(collector).count == 3)
            let rule = "error.type:Timeout* -> timeouts title=\"Timeout in {{ function }}\""
            let tried = try await collector.http.send(
                "POST",
                project + "grouping/preview/",
                json: ["fingerprintingRules": .string(rule), "days": 1]
            )
            #expect(tried.status == 200, "\(tried.text)")
            let preview = try tried.json()
            #expect(preview["events"]?.int == 3 && preview["issuesNow"]?.int == 3 && preview["issuesThen"]?.int == 2)
            #expect(preview["merges"]?.array?.first?["parts"]?.array?.count == 2)
            #expect(preview["splitCount"]?.int == 0 && preview["isComplete"] == true)
            // The preview saved nothing.
            #expect(try await collector.http.get(project).json()["fingerprintingRules"]?.string == "")

            let wrong = try await collector.http.send(
                "PUT",
                project,
                json: ["fingerprintingRules": .string("# fine\n\(rule)\nerror.tpye:X -> y")]
            )
            #expect(wrong.status == 400)
            #expect(try wrong.json()["detail"]?.string?.contains("line 3") == true)

            let kept = try await collector.http.send("PUT", project, json: ["fingerprintingRules": .string(rule)])
            #expect(kept.status == 200)
            let isNoticed = try await eventually(within: .seconds(10)) {
                _ = try await collector.send(event: fault("TimeoutA", "TimeoutA"))
                return try await issues(collector).contains { $0["title"]?.string == "Timeout in TimeoutA" }
            }
            #expect(isNoticed)
            _ = try await collector.send(event: fault("TimeoutB", "TimeoutB"))
            #expect(try await issues(collector).count == 4)
        }
    }

    @Test("A job regroups stored events with all of their counts, and can be reverted")
    func regrouped() async throws {
        try await withCollector { collector in
            for user in ["7", "8"] {
                #expect(try await collector.send(event: fault("A", "first", user: user)).status == 200)
            }
            for release in ["shop@2", "shop@3"] {
                #expect(try await collector.send(event: fault("B", "second", release: release)).status == 200)
            }
            #expect(try await collector.send(event: fault("C", "third")).status == 200)
            let list = try await issues(collector)
            func id(_ title: String) throws -> String {
                try #require(list.first { $0["title"]?.string == title }?["id"]?.string)
            }
            let ids = [try id("A: x"), try id("B: x"), try id("C: x")]
            var before: [[String]] = []
            for id in ids { before.append(try await numbers(collector, id)) }

            let rules = """
                error.type:A -> together
                error.type:B -> together
                error.type:C tags.shop:us -> apart
                message:probe* -> probe title="noticed"
                """
            #expect(
                try await collector.http.send("PUT", project, json: ["fingerprintingRules": .string(rules)]).status
                    == 200
            )
            let isNoticed = try await eventually(within: .seconds(10)) {
                _ = try await collector.send(event: ["message": "probe"])
                return try await issues(collector).contains { $0["title"]?.string == "noticed" }
            }
            let titles = try await issues(collector).map { $0["title"]?.string ?? "" }
            #expect(isNoticed, "\(titles)")

            func job(_ state: String) async throws -> JSON {
                let isReached = try await eventually(within: .seconds(30)) {
                    try await collector.http.get(project + "grouping/regroup/").json().array?.first?["state"]?.string
                        == state
                }
                let job = try await collector.http.get(project + "grouping/regroup/").json().array?.first ?? [:]
                #expect(isReached, "\(job.text)")
                return job
            }
            let begun = try await collector.http.send("POST", project + "grouping/regroup/", json: ["days": 1])
            #expect(begun.status == 200, "\(begun.text)")
            let done = try await job("done")
            #expect(done["moved"]?.int ?? 0 >= 4 && done["processed"] == done["total"])
            let together = try await issue(collector, ids[0])
            #expect(together["count"]?.string == "4" && together["userCount"]?.int == 2)
            // Both ids lead to the issue that now contains the events.
            #expect(try await issue(collector, ids[1])["id"] == together["id"])
            #expect(try await numbers(collector, ids[2]) == before[2])
            #expect(
                try await collector.http
                    .send(
                        "PUT",
                        project + "grouping/regroup/\(done["id"]?.string ?? "")/",
                        json: ["state": "cancelled"]
                    )
                    .status == 409
            )

            let back = try await collector.http.send(
                "PUT",
                project + "grouping/regroup/\(done["id"]?.string ?? "")/",
                json: ["state": "reverted"]
            )
            #expect(back.status == 200, "\(back.text)")
            _ = try await job("reverted")
            for (id, numbers) in zip(ids, before) { #expect(try await self.numbers(collector, id) == numbers) }
        }
    }

    @Test("Issues with the same frames are listed as similar")
    func similar() async throws {
        try await withCollector { collector in
            _ = try await collector.send(event: fault("A", "pay", extra: ["one", "two", "three"]))
            _ = try await collector.send(event: fault("B", "pay", extra: ["one", "two", "four"]))
            _ = try await collector.send(event: ["message": "nothing in common"])
            let list = try await issues(collector)
            let a = try #require(list.first { $0["title"]?.string == "A: x" }?["id"]?.string)
            let similar = try await collector.http.get("/api/0/issues/\(a)/similar/").json().array ?? []
            #expect(similar.count == 1)
            #expect(similar.first?["issue"]?["title"]?.string == "B: x")
            #expect(Double(similar.first?["score"]?.text ?? "").map { $0 > 0.5 } == true)
        }
    }

    @Test("A project that changes its grouping version keeps its issues")
    func transition() async throws {
        try await withCollector { collector in
            let old = ["options": ["whorl:grouping_version": 1]] as JSON
            #expect(try await collector.http.send("PUT", project, json: old).status == 200)
            // The number of a closure is part of the function's name in the first version only.
            func event(_ closure: Int) -> JSON {
                [
                    "platform": "go",
                    "exception": [
                        "values": [
                            [
                                "type": "E", "value": "x",
                                "stacktrace": [
                                    "frames": [
                                        [
                                            "function": .string("Handle.func\(closure)"), "module": "shop",
                                            "in_app": true,
                                        ]
                                    ]
                                ],
                            ]
                        ]
                    ],
                ]
            }
            let connection = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            func setting(_ text: String) async throws {
                try await connection.script(
                    "UPDATE project SET settings = '{\"grouping\":\(text)}' WHERE slug = 'web'",
                    deadline: .now + .seconds(5)
                )
            }
            func algorithms(_ count: Int) async throws {
                let isNoticed = try await eventually(within: .seconds(10)) {
                    let id = EventID.random()
                    _ = try await collector.send(event: event(1), id: id)
                    let hashes =
                        try await collector.http
                        .get(
                            "/api/0/issues/\(try await issues(collector).first?["id"]?.string ?? "")/hashes/"
                        )
                        .json().array ?? []
                    return hashes.count == count
                }
                #expect(isNoticed)
            }
            try await setting("{\"version\":1}")
            try await algorithms(1)
            let until = Int(Date().timeIntervalSince1970) + 1_000
            try await setting("{\"version\":2,\"previous\":1,\"previousUntil\":\(until)}")
            try await algorithms(2)
            #expect(try await issues(collector).count == 1)
            // After the transition the new version alone finds the same issue, whatever the closure's number.
            try await setting("{\"version\":2}")
            let isJoined = try await eventually(within: .seconds(10)) {
                let id = EventID.random()
                _ = try await collector.send(event: event(7), id: id)
                let info = try await collector.http.get(project + "events/\(id.hex)/grouping-info/").json()
                return info["variants"]?["app"]?["hash"]?.string == info["hash"]?.string
            }
            #expect(isJoined)
            let last = try await issues(collector)
            // An event that arrived before the collector saw the change can have its own issue under the old version.
            #expect(last.contains { $0["count"]?.string.flatMap { Int($0) } ?? 0 >= 2 })
            await connection.close()
        }
    }
}
