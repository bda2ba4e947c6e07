import Foundation
import Logging
import Testing
import WhorlAPI
import WhorlPostgres
import WhorlProtocol
import WhorlStore
import WhorlTelemetry
import WhorlTestSupport

@Suite("JSON API")
struct APITests {
    private func pool(_ collector: TestCollector) -> PostgresPool {
        PostgresPool(
            url: collector.databaseURL,
            configuration: .init(size: 2, timeout: .seconds(10)),
            logger: Logger(label: "test"),
            metrics: PostgresMetrics(registry: MetricsRegistry())
        )
    }

    private func fault(
        _ type: String,
        environment: String = "production",
        tags: JSON = [:],
        level: String = "error"
    ) -> JSON {
        [
            "exception": ["values": [["type": .string(type), "value": "x"]]], "environment": .string(environment),
            "tags": tags, "level": .string(level), "release": "shop@1.0", "user": ["id": "7"],
        ]
    }

    /// The path of an endpoint with its parameters replaced.
    private func path(_ endpoint: Endpoint, _ parts: [String: String]) -> String {
        var path = "/api/0" + endpoint.path
        for (name, value) in parts { path = path.replacingOccurrences(of: "{\(name)}", with: value) }
        return path
    }

    @Test("No route reveals anything to a token of another organisation, and every route needs a token")
    func otherOrganisation() async throws {
        try await withCollector { collector in
            let id = EventID.random()
            #expect(try await collector.send(event: fault("Ours"), id: id).status == 200)
            let pool = pool(collector)
            let administration = Administration(pool: pool)
            let other = try await administration.ensureOrganization(slug: "other")
            let token = try await administration.createToken(
                organizationID: other.id,
                name: "other",
                scopes: TokenGrant.allScopes,
                maker: "test"
            )
            let key = TestCollector.publicKey
            let parts = [
                "organization": "acme", "project": "web", "issue": "1", "event": id.hex, "key": key,
                "short_id": "WEB-1",
                "event_id": id.hex,
            ]
            let foreign = TestHTTP(port: collector.port, token: token)
            for endpoint in APIRoutes.endpoints {
                let name = "\(endpoint.method.rawValue) \(endpoint.path)"
                let path = path(endpoint, parts)
                let body: JSON = ["status": "resolved", "name": "x", "slug": "x", "isActive": false]
                let hasBody = endpoint.method == .put || endpoint.method == .post
                let bytes = hasBody ? body.encoded() : nil
                let answer = try await foreign.send(endpoint.method.rawValue, path, body: bytes)
                if endpoint.path.contains("{") {
                    #expect(answer.status == 404, "\(name)")
                } else {
                    // Lists contain only what the token may see, so nothing of the first organisation.
                    #expect(!answer.text.contains("acme") && !answer.text.contains("web"), "\(name)")
                }
                let anonymous = try await TestHTTP(port: collector.port)
                    .send(endpoint.method.rawValue, path, body: bytes)
                #expect(anonymous.status == 401, "\(name)")
                #expect(try anonymous.json()["detail"]?.string != nil, "\(name)")
            }
            // None of these requests changed anything.
            let issue = try await collector.http.get("/api/0/issues/1/").json()
            #expect(issue["status"] == "unresolved")
            #expect(try await collector.http.get("/api/0/projects/acme/web/keys/\(key)/").json()["isActive"] == true)
            await pool.close()
        }
    }

    @Test("A token without the scope of a route is refused")
    func scopes() async throws {
        try await withCollector { collector in
            let pool = pool(collector)
            let token = try await Administration(pool: pool)
                .createToken(
                    organizationID: nil,
                    name: "reader",
                    scopes: ["event:read"],
                    maker: "test"
                )
            let reader = TestHTTP(port: collector.port, token: token)
            #expect(try await reader.get("/api/0/projects/acme/web/issues/").status == 200)
            #expect(try await reader.get("/api/0/organizations/").status == 403)
            let update = try await reader.send(
                "PUT",
                "/api/0/projects/acme/web/issues/?id=1",
                json: ["status": "resolved"]
            )
            #expect(update.status == 403)
            await pool.close()
        }
    }

    @Test("Every response matches the OpenAPI document")
    func openAPI() async throws {
        try await withCollector { collector in
            let id = EventID.random()
            _ = try await collector.send(event: fault("Ours", tags: ["shape": "round"]), id: id)
            let document = try await TestHTTP(port: collector.port).get("/api/0/openapi.json").json()
            let schemas = try #require(document["components"]?["schemas"])
            let parts = [
                "organization": "acme", "project": "web", "issue": "WEB-1", "event": id.hex,
                "key": TestCollector.publicKey, "short_id": "WEB-1", "event_id": id.hex,
            ]
            for endpoint in APIRoutes.endpoints where endpoint.method == .get {
                let operation = document["paths"]?[endpoint.path]?["get"]
                #expect(operation != nil, "\(endpoint.path)")
                var parts = parts
                if endpoint.path.hasPrefix("/issues/") { parts["issue"] = "1" }
                if endpoint.path.contains("tags/{key}") { parts["key"] = "shape" }
                let answer = try await collector.http.get(path(endpoint, parts))
                #expect(answer.status == 200, "\(endpoint.path): \(answer.text)")
                #expect(answer.headers["content-type"] == "application/json")
                let schema = operation?["responses"]?["2XX"]?["content"]?["application/json"]?["schema"]
                let faults = SchemaCheck(schemas: schemas)
                    .faults(of: try answer.json(), in: schema ?? .null, at: endpoint.path)
                #expect(faults.isEmpty, "\(faults)")
            }
        }
    }

    @Test("Pages of issues have no gaps or repetitions while events arrive")
    func pagination() async throws {
        try await withCollector { collector in
            for index in 0..<25 { _ = try await collector.send(event: fault("Fault\(index)")) }
            var seen: [String] = []
            var path: String? = "/api/0/organizations/acme/issues/?query=&per_page=10&sort=new"
            var pages = 0
            while let next = path {
                let answer = try await collector.http.get(next)
                #expect(answer.status == 200)
                seen += (try answer.json().array ?? []).compactMap { $0["title"]?.string }
                pages += 1
                // New issues arrive at the front of the list.
                _ = try await collector.send(event: fault("Late\(pages)"))
                let link = try #require(answer.headers["link"])
                #expect(link.contains("rel=\"previous\"; results=\"\(pages > 1)\""))
                let forward = link.components(separatedBy: ", ").last ?? ""
                let url = forward.dropFirst().prefix { $0 != ">" }
                #expect(url.contains("per_page=10") && url.contains("sort=new"))
                path =
                    forward.contains("results=\"true\"")
                    ? String(url.drop { $0 != "/" }.dropFirst(2).drop { $0 != "/" }) : nil
            }
            #expect(pages == 3)
            #expect(seen == (0..<25).reversed().map { "Fault\($0): x" })
            #expect(try await collector.http.get("/api/0/organizations/acme/issues/?cursor=nonsense").status == 400)
            #expect(try await collector.http.get("/api/0/organizations/acme/issues/?per_page=-1").status == 400)
        }
    }

    @Test("All terms of a search apply to one event, and counts are those of the selected environment")
    func search() async throws {
        try await withCollector { collector in
            _ = try await collector.send(event: fault("A", environment: "production", tags: ["checkout": "card"]))
            _ = try await collector.send(event: fault("A", environment: "staging", tags: ["checkout": "cash"]))
            _ = try await collector.send(event: fault("A", environment: "staging", tags: ["checkout": "cash"]))
            _ = try await collector.send(
                event: fault("B", environment: "staging", tags: ["checkout": "gift card"], level: "warning")
            )
            func titles(_ query: String, _ more: String = "") async throws -> [String] {
                let encoded = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                let answer = try await collector.http.get("/api/0/projects/acme/web/issues/?query=\(encoded)\(more)")
                #expect(answer.status == 200, "\(query): \(answer.text)")
                return (try answer.json().array ?? []).compactMap { $0["title"]?.string }.sorted()
            }
            await expect(["A: x"]) { try await titles("checkout:card environment:production") }
            // Card and staging both occur, but not in the same event.
            await expect([]) { try await titles("checkout:card environment:staging") }
            await expect(["B: x"]) { try await titles("checkout:\"gift card\"") }
            await expect(["A: x", "B: x"]) { try await titles("!checkout:card environment:staging") }
            await expect(["B: x"]) { try await titles("level:warning") }
            await expect(["A: x"]) { try await titles("!level:warning") }
            await expect(["B: x"]) { try await titles("release:shop@1.0 checkout:g*") }
            await expect([]) { try await titles("release:other") }
            await expect(["A: x", "B: x"]) { try await titles("checkout:[card, \"gift card\"]") }
            await expect(["A: x"]) { try await titles("user:7 timesSeen:>2") }
            await expect(["A: x"]) { try await titles("\"A: x\"") }
            await expect([]) { try await titles("is:resolved") }
            await expect(["A: x", "B: x"]) { try await titles("", "&sort=freq") }
            // Numbers and dates out of range are refused.
            for query in [
                "is%3Aodd", "timesSeen%3A999999999999b", "timesSeen%3A-9223372036854775808", "age%3A-999999w",
                "firstSeen%3A9999-12-31",
            ] {
                let answer = try await collector.http.get("/api/0/projects/acme/web/issues/?query=\(query)")
                #expect(answer.status == 400 || query.hasPrefix("firstSeen") && answer.status == 200, "\(query)")
            }
            await expect(400) {
                try await collector.http.get("/api/0/projects/acme/web/issues/?statsPeriod=999999w").status
            }
            let list = try await collector.http
                .get(
                    "/api/0/projects/acme/web/issues/?query=A&environment=staging"
                )
                .json()
            #expect(list.array?.first?["count"] == "2")
            let all = try await collector.http.get("/api/0/projects/acme/web/issues/?query=A").json()
            #expect(all.array?.first?["count"] == "3")
            #expect(all.array?.first?["userCount"] == 1)
        }
    }

    @Test("A resolved issue that gets an event is unresolved again with substatus regressed, and is counted once")
    func regression() async throws {
        try await withCollector { collector in
            _ = try await collector.send(event: fault("A"))
            let resolved = try await collector.http.send("PUT", "/api/0/issues/1/", json: ["status": "resolved"])
            #expect(try resolved.json()["status"] == "resolved")
            // Many concurrent events cause one regression.
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<40 { group.addTask { _ = try? await collector.send(event: fault("A")) } }
            }
            let issue = try await collector.http.get("/api/0/issues/1/").json()
            #expect(issue["count"] == "41")
            #expect(issue["status"] == "unresolved")
            #expect(issue["substatus"] == "regressed")
            #expect(
                (issue["activity"]?.array ?? []).compactMap { $0["type"]?.string } == [
                    "set_regression", "set_resolved",
                ]
            )
            #expect(issue["activity"]?.array?.first?["data"]?["version"] == "shop@1.0")
            let name = #"whorl_issues_regressed_total{organization="acme",project="web"}"#
            #expect(try await collector.metric(name) == 1)
        }
    }

    @Test("A deleted issue is gone, and the next event of its group creates a new issue")
    func deletion() async throws {
        try await withCollector { collector in
            _ = try await collector.send(event: fault("A"))
            #expect(try await collector.http.send("DELETE", "/api/0/issues/1/").status == 204)
            #expect(try await collector.http.get("/api/0/issues/1/").status == 404)
            // The collector still has the hash in its cache.
            #expect(try await collector.send(event: fault("A")).status == 200)
            let issues = try await collector.http.get("/api/0/projects/acme/web/issues/").json().array ?? []
            #expect(issues.count == 1)
            #expect(issues.first?["shortId"] == "WEB-2")
            #expect(issues.first?["count"] == "1")
        }
    }

    @Test("Projects and keys are created, changed and deleted; a disabled key is refused within ten seconds")
    func administration() async throws {
        try await withCollector { collector in
            let made = try await collector.http.send(
                "POST",
                "/api/0/organizations/acme/projects/",
                json: ["name": "The Shop", "platform": "python"]
            )
            #expect(made.status == 201)
            #expect(try made.json()["slug"] == "the-shop")
            // The counter exists at zero, so that the first issue is an increase.
            #expect(
                try await collector.metric(#"whorl_issues_created_total{organization="acme",project="the-shop"}"#) == 0
            )
            let again = try await collector.http.send(
                "POST",
                "/api/0/organizations/acme/projects/",
                json: ["name": "The Shop"]
            )
            #expect(again.status == 409)
            let path = "/api/0/projects/acme/the-shop/"
            let renamed = try await collector.http.send("PUT", path, json: ["name": "Shop", "slug": "shop"])
            #expect(try renamed.json()["slug"] == "shop")
            let keys = "/api/0/projects/acme/web/keys/"
            let key = try await collector.http.send("POST", keys, json: ["name": "second"]).json()
            let name = try #require(key["public"]?.string)
            func submit() async throws -> Int {
                try await TestHTTP(port: collector.port)
                    .send(
                        "POST",
                        "/api/1/store/?sentry_key=\(name)",
                        body: Array(#"{"message":"m"}"#.utf8)
                    )
                    .status
            }
            await expect(200) { try await submit() }
            #expect(try await collector.http.send("PUT", "\(keys)\(name)/", json: ["isActive": false]).status == 200)
            await expect(true) { try await eventually(within: .seconds(10)) { try await submit() == 403 } }
            #expect(try await collector.http.send("DELETE", "\(keys)\(name)/").status == 204)
            #expect(try await collector.http.get("\(keys)\(name)/").status == 404)
            #expect(try await collector.http.send("DELETE", "/api/0/projects/acme/shop/").status == 204)
            #expect(try await collector.http.get("/api/0/projects/acme/shop/").status == 404)
        }
    }
}

/// A validator for the part of JSON Schema that the OpenAPI document uses.
struct SchemaCheck {
    let schemas: JSON

    func faults(of value: JSON, in schema: JSON, at path: String) -> [String] {
        if let reference = schema["$ref"]?.string {
            guard let found = schemas[String(reference.split(separator: "/").last ?? "")] else {
                return ["\(path): no schema \(reference)"]
            }
            return faults(of: value, in: found, at: path)
        }
        let types = schema["type"]?.array?.compactMap(\.string) ?? schema["type"]?.string.map { [$0] } ?? []
        guard types.contains(where: { matches(value, $0) }) else {
            return ["\(path): \(value.text.prefix(60)) is not of type \(types)"]
        }
        var found: [String] = []
        if schema["format"]?.string == "date-time", let text = value.string, Timestamp.parse(text) == nil {
            found.append("\(path): \(text) is not a date")
        }
        for name in (schema["required"]?.array ?? []).compactMap(\.string) where value[name] == nil {
            found.append("\(path).\(name) is missing")
        }
        for (name, property) in schema["properties"]?.object ?? [] {
            if let member = value[name] { found += faults(of: member, in: property, at: "\(path).\(name)") }
        }
        if let items = schema["items"] {
            for (index, element) in (value.array ?? []).enumerated() {
                found += faults(of: element, in: items, at: "\(path)[\(index)]")
            }
        }
        return found
    }

    private func matches(_ value: JSON, _ type: String) -> Bool {
        switch type {
        case "object": value.object != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "integer": value.int != nil
        case "boolean": value.bool != nil
        case "null": value == .null
        default: false
        }
    }
}
