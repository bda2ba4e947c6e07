import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@Suite("Responses match the effects of requests", .serialized)
struct ResponseConsistencyTests {
    private let issues = "/api/0/projects/acme/web/issues/"

    private func count(_ collector: TestCollector, _ query: String) async throws -> Int {
        try await collector.http.get(issues + "?query=" + query).json().array?.count ?? -1
    }

    @Test("A change without a selection, or with an unknown parameter, is refused and changes nothing")
    func typingErrors() async throws {
        try await withCollector { collector in
            for name in ["a", "b", "c"] {
                #expect(try await collector.send(event: ["message": .string(name)]).status == 200)
            }
            for query in [
                "", "?query=%22%22", "?query=%22%22%20%22%22", "?query=is:resolved&query=x", "?ids=1", "?id=", "?id=x",
                "?query=", "?query=%20", "?id=1&ids=2", "?id=1&query=is:resolved",
            ] {
                for method in ["DELETE", "PUT"] {
                    let answer = try await collector.http.send(method, issues + query, json: ["status": "resolved"])
                    #expect(answer.status == 400, "\(method) \(query): \(answer.status)")
                    if query.contains("ids") { #expect(answer.text.contains("ids")) }
                }
            }
            #expect(try await count(collector, "is:unresolved") == 3)
        }
    }

    @Test("Unsupported changes are answered with 501, unknown ones with 400, and neither changes anything")
    func unbuilt() async throws {
        try await withCollector { collector in
            #expect(try await collector.send(event: ["message": "a"]).status == 200)
            let bodies: [(JSON, Int, String)] = [
                (["status": "ignored", "ignoreDuration": 60], 501, "ignoreDuration"),
                (["status": "ignored", "statusDetails": ["ignoreCount": 5]], 501, "statusDetails"),
                (["status": "resolved", "inNextRelease": true], 501, "inNextRelease"),
                (["status": "resolvedInNextRelease"], 501, "resolvedInNextRelease"),
                (["status": "ignored", "substatus": "archived_until_escalating"], 501, "archived_until_escalating"),
                (["assignedTo": "me"], 501, "assignedTo"), (["priority": "high"], 501, "priority"),
                (["discard": true], 501, "discard"), (["nonsense": 1], 400, "nonsense"), ([:], 400, "no change"),
                (["status": "resolved", "substatus": "ongoing"], 400, "substatus"),
                (["substatus": "ongoing"], 400, "substatus"), (["merge": "yes"], 400, "merge"),
            ]
            for (body, status, word) in bodies {
                for path in [issues + "?id=1", "/api/0/issues/1/"] {
                    let answer = try await collector.http.send("PUT", path, json: body)
                    #expect(answer.status == status, "\(body.text): \(answer.text)")
                    #expect(answer.text.contains(word), "\(answer.text)")
                }
            }
            let issue = try await collector.http.get("/api/0/issues/1/").json()
            #expect(issue["status"] == "unresolved" && issue["substatus"] == "new")
            let done = try await collector.http.send(
                "PUT",
                "/api/0/issues/1/",
                json: ["status": "ignored", "statusDetails": [:], "assignedTo": nil]
            )
            #expect(done.status == 200)
        }
    }

    @Test("A refused request changes nothing")
    func refusedWhole() async throws {
        try await withCollector { collector in
            let made = try await collector.http.send(
                "POST",
                "/api/0/organizations/acme/projects/",
                json: ["name": "other"]
            )
            #expect(made.status == 201)
            let key =
                try await collector.http.get("/api/0/projects/acme/other/keys/").json().array?.first?["public"]?.string
                ?? ""
            let other = try #require(try made.json()["id"]?.string)
            #expect(try await collector.send(event: ["message": "a"]).status == 200)
            let sent = try await TestHTTP(port: collector.port)
                .send("POST", "/api/\(other)/store/?sentry_key=\(key)", body: Array(#"{"message":"b"}"#.utf8))
            #expect(sent.status == 200)
            let both = "/api/0/organizations/acme/issues/?id=1&id=2"
            let merge = try await collector.http.send("PUT", both, json: ["merge": 1, "status": "resolved"])
            #expect(merge.status == 400)
            let open = try await collector.http.get("/api/0/organizations/acme/issues/?query=is:unresolved").json()
            #expect(open.array?.count == 2)

            let project = "/api/0/projects/acme/web/"
            let bad = try await collector.http.send(
                "PUT",
                project,
                json: [
                    "name": "changed", "slug": "changed",
                    "options": ["whorl:quotas": [["window": "year", "count": 1]]],
                ]
            )
            #expect(bad.status == 400)
            #expect(try await collector.http.get(project).json()["name"] == "web")
            let taken = try await collector.http.send("PUT", project, json: ["slug": "other", "allowedDomains": ["x"]])
            #expect(taken.status == 409)
            #expect(try await collector.http.get(project).json()["allowedDomains"]?.array?.first == "*")
            let keyPath = project + "keys/\(TestCollector.publicKey)/"
            let half = try await collector.http.send(
                "PUT",
                keyPath,
                json: ["rateLimit": ["count": 5, "window": 60], "isActive": "no"]
            )
            #expect(half.status == 400)
            #expect(try await collector.http.get(keyPath).json()["rateLimit"] == JSON.null)
            for categories in [["error", String(repeating: "x", count: 3_000)], ["nope"]] as [[String]] {
                let quota: JSON = [
                    "options": [
                        "whorl:quotas": [
                            ["window": "minute", "count": 1, "categories": .array(categories.map(JSON.string))]
                        ]
                    ]
                ]
                let answer = try await collector.http.send("PUT", project, json: quota)
                #expect(answer.status == 400 && answer.text.contains("whorl:quotas"))
            }
        }
    }

    @Test("A change applies to all matching issues, also beyond one page")
    func allThatMatch() async throws {
        try await withCollector { collector in
            let connection = try await PostgresConnection.connect(collector.databaseURL, deadline: .now + .seconds(10))
            try await connection.script(
                """
                INSERT INTO issue (project_id, id, short_id, level, type, title, culprit, metadata, platform,
                    is_unhandled, first_seen, last_seen, last_seen_bucket, event_count)
                SELECT 1, n, n, 4, 'error', 'many', '', '{}', 'python', false, now(), now(), now(), 1
                FROM generate_series(1, 7931) AS n
                """,
                deadline: .now + .seconds(30)
            )
            let answer = try await collector.http.send(
                "PUT",
                issues + "?query=is:unresolved",
                json: ["status": "resolved"]
            )
            #expect(answer.status == 200)
            let open = PostgresStatement("test", "SELECT count(*) AS n FROM issue WHERE status <> 1")
            #expect(
                try await connection.execute(open, deadline: .now + .seconds(5)).first?.read("n", as: Int.self) == 0
            )
            let ids = (1...900).map { "id=\($0)" }.joined(separator: "&")
            #expect(try await collector.http.send("DELETE", issues + "?" + ids).status == 204)
            let left = PostgresStatement("test", "SELECT count(*) AS n FROM issue")
            #expect(
                try await connection.execute(left, deadline: .now + .seconds(5)).first?.read("n", as: Int.self) == 7_031
            )
            try await connection.script(
                """
                INSERT INTO issue (project_id, id, short_id, level, type, title, culprit, metadata, platform,
                    is_unhandled, first_seen, last_seen, last_seen_bucket, event_count)
                SELECT 1, n, n, 4, 'error', 'many', '', '{}', 'python', false, now(), now(), now(), 1
                FROM generate_series(10001, 20001) AS n
                """,
                deadline: .now + .seconds(30)
            )
            let tooMany = try await collector.http.send("DELETE", issues + "?query=is:unresolved")
            #expect(tooMany.status == 400 && tooMany.text.contains("10000"))
            #expect(
                try await connection.execute(open, deadline: .now + .seconds(5)).first?.read("n", as: Int.self)
                    == 10_001
            )
            await connection.close()
        }
    }

    @Test("A disabled key and a deleted project are refused within a second by every collector")
    func revocation() async throws {
        try await withCollector { first in
            try await withCollector(databaseURL: first.databaseURL) { second in
                for collector in [first, second] {
                    #expect(try await collector.send(envelope: Array("{}\n".utf8)).status == 200)
                }
                let key = "/api/0/projects/acme/web/keys/\(TestCollector.publicKey)/"
                #expect(try await first.http.send("PUT", key, json: ["isActive": false]).status == 200)
                let start = ContinuousClock.now
                for collector in [first, second] {
                    let isRefused = try await eventually(within: .seconds(3)) {
                        try await collector.send(envelope: Array("{}\n".utf8)).status == 403
                    }
                    #expect(isRefused)
                }
                #expect(start.duration(to: .now) < scaledBound(.milliseconds(1_500)))
                #expect(try await first.http.send("PUT", key, json: ["isActive": true]).status == 200)
                let isBack = try await eventually { try await second.send(envelope: Array("{}\n".utf8)).status == 200 }
                #expect(isBack)
                #expect(try await first.http.send("DELETE", "/api/0/projects/acme/web/").status == 204)
                let isGone = try await eventually(within: .seconds(2)) {
                    try await second.send(envelope: Array("{}\n".utf8)).status == 403
                }
                #expect(isGone)
            }
        }
    }

    @Test("Only an event that occurred after its issue was resolved reopens it")
    func lateEvents() async throws {
        try await withCollector { collector in
            #expect(try await collector.send(event: ["message": "late"]).status == 200)
            #expect(
                try await collector.http.send("PUT", "/api/0/issues/1/", json: ["status": "resolved"]).status == 200
            )
            let before = Date().timeIntervalSince1970 - 3_600
            #expect(try await collector.send(event: ["message": "late", "timestamp": .double(before)]).status == 200)
            #expect(try await collector.http.get("/api/0/issues/1/").json()["status"] == "resolved")
            #expect(try await collector.http.get("/api/0/issues/1/").json()["count"] == "2")
            #expect(
                try await collector.metric("whorl_issues_regressed_total{organization=\"acme\",project=\"web\"}") == 0
            )
            #expect(try await collector.send(event: ["message": "late"]).status == 200)
            let issue = try await collector.http.get("/api/0/issues/1/").json()
            #expect(issue["status"] == "unresolved" && issue["substatus"] == "regressed")
        }
    }

    @Test("The client's fingerprint is shown as sent")
    func fingerprint() async throws {
        try await withCollector { collector in
            let id = EventID.random()
            let event: JSON = ["message": "x", "fingerprint": ["{{ default }}", "shop", "7"]]
            #expect(try await collector.send(event: event, id: id).status == 200)
            let shown = try await collector.http.get("/api/0/projects/acme/web/events/\(id.hex)/").json()
            #expect(shown["fingerprint"] == ["{{ default }}", "shop", "7"])
            #expect(shown["fingerprints"]?.array?.count == 1)
        }
    }

    @Test("Tokens are listed with scopes, maker, expiry and last use, expire, and stay revoked")
    func tokens() async throws {
        try await withCollector { collector in
            let environment = [
                "PATH": "/usr/bin:/bin", "DATABASE_URL": collector.databaseURL,
                "WHORL_DATA_DIR": collector.dataDirectory,
            ]
            func run(_ arguments: [String]) async throws -> (Int32, String) {
                let program = try RunningProgram(TestCollector.executable, arguments, environment: environment)
                return (try await program.exitStatus(), program.output)
            }
            func object(_ arguments: [String]) async throws -> JSON {
                let (status, output) = try await run(arguments)
                #expect(status == 0, "\(output)")
                return JSON(try JSONDocument(Array(output.utf8)).root)
            }
            let made = try await object([
                "token", "create", "--org", "acme", "--name", "ci", "--expires", "90d", "--json",
            ])
            #expect(made["scopes"] == ["event:read", "project:read", "org:read"], "default scopes are read-only")
            let token = try #require(made["token"]?.string)
            let reader = TestHTTP(port: collector.port, token: token)
            #expect(try await reader.get(issues).status == 200)
            #expect(try await reader.send("PUT", issues + "?id=1", json: ["status": "resolved"]).status == 403)
            let list = try await object(["token", "list", "--json"])["tokens"]?.array ?? []
            let mine = try #require(list.first { $0["name"] == "ci" })
            #expect(mine["maker"] == "command line" && mine["organization"] == "acme")
            #expect(mine["lastUsed"]?.string != nil && mine["expires"]?.string != nil && mine["revoked"] == JSON.null)
            #expect(list.first { $0["maker"] == "bootstrap" }?["lastUsed"] == JSON.null)
            let (status, _) = try await run(["token", "revoke", String(mine["id"]?.int ?? 0)])
            #expect(status == 0)
            #expect(try await reader.get(issues).status == 401)
            #expect(try await run(["token", "revoke", String(mine["id"]?.int ?? 0)]).0 == 1)
            #expect(try await run(["token", "create", "--org", "acme", "--expires", "soon"]).0 == 64)
            // A revoked bootstrap token stays revoked after the next start.
            let boot = try #require(list.first { $0["maker"] == "bootstrap" }?["id"]?.int)
            #expect(try await run(["token", "revoke", String(boot)]).0 == 0)
            try await withCollector(databaseURL: collector.databaseURL) { next in
                await expect(401) { try await next.http.get(issues).status }
            }
        }
    }

    @Test("A start succeeds after the bootstrap project is renamed or deleted, and a deleted key stays deleted")
    func bootstrap() async throws {
        try await withCollector { collector in
            let project = "/api/0/projects/acme/web/"
            #expect(try await collector.http.send("PUT", project, json: ["slug": "renamed"]).status == 200)
            try await withCollector(databaseURL: collector.databaseURL) { next in
                #expect(next.program.output.contains("the bootstrap key is not of the bootstrap project"))
                await expect(200) { try await next.send(event: ["message": "still taken"]).status }
                await expect(1) { try await next.http.get("/api/0/projects/").json().array?.count }
            }
            let key = "/api/0/projects/acme/renamed/keys/\(TestCollector.publicKey)/"
            #expect(try await collector.http.send("DELETE", key).status == 204)
            try await withCollector(databaseURL: collector.databaseURL) { next in
                await expect(403) { try await next.send(event: ["message": "not taken"]).status }
                await expect(1) { try await next.http.get("/api/0/projects/").json().array?.count }
            }
            #expect(try await collector.http.send("DELETE", "/api/0/projects/acme/renamed/").status == 204)
            try await withCollector(databaseURL: collector.databaseURL) { next in
                await expect(true) { try await next.http.get("/api/0/projects/").json().array?.isEmpty }
            }
        }
    }
}
