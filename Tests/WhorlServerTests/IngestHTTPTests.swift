import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

/// Expects that an asynchronous expression returns a value.
func expect<Value: Equatable & Sendable>(
    _ expected: Value,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ actual: () async throws -> Value
) async {
    do {
        let actual = try await actual()
        #expect(actual == expected, sourceLocation: sourceLocation)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
}

@Suite("Ingest over HTTP")
struct IngestHTTPTests {
    private let key = TestCollector.publicKey
    private let event = Array(#"{"message":"m"}"#.utf8)

    @Test("Credentials are read from every place, and wrong ones are answered as the protocol requires")
    func credentials() async throws {
        try await withCollector { collector in
            let http = TestHTTP(port: collector.port)
            func store(_ path: String, _ headers: [String: String] = [:]) async throws -> Int {
                try await http.send("POST", path, headers: headers, body: event).status
            }
            let basic = Data("\(key):".utf8).base64EncodedString()
            let other = String(repeating: "0", count: 32)
            await expect(200) {
                try await store("/api/1/store/", ["X-Sentry-Auth": "Sentry sentry_version=7,sentry_key=\(key)"])
            }
            await expect(200) {
                try await store("/api/1/store", ["Authorization": "sentry sentry_key=\(key), sentry_secret=x"])
            }
            await expect(200) { try await store("/api/1/store/", ["Authorization": "Basic \(basic)"]) }
            await expect(200) { try await store("/api/1/store/?sentry_key=\(key)&sentry_version=7") }
            await expect(200) { try await store("/api/store/?sentry_key=\(key)") }
            await expect(200) { try await store("//api//1//store/?sentry_key=\(key)") }
            await expect(200) {
                try await store("/api/1/store/?sentry_key=\(key)", ["X-Sentry-Auth": "Sentry sentry_key=\(key)"])
            }
            await expect(401) {
                try await store("/api/1/store/?sentry_key=\(other)", ["X-Sentry-Auth": "Sentry sentry_key=\(key)"])
            }
            await expect(401) { try await store("/api/1/store/") }
            await expect(401) { try await store("/api/1/store/", ["X-Sentry-Auth": "Sentry nothing=here"]) }
            await expect(400) { try await store("/api/1/store/?sentry_key=\(key)&sentry_version=8") }
            await expect(400) { try await store("/api/1/store/?sentry_key=UPPER") }
            await expect(403) { try await store("/api/1/store/?sentry_key=\(other)") }
            await expect(403) { try await store("/api/2/store/?sentry_key=\(key)") }
            for project in ["x", "1e3", "-1", "9223372036854775808", "%00"] {
                let status = try await store("/api/\(project)/store/?sentry_key=\(key)")
                #expect([400, 403].contains(status), "\(project)")
            }
        }
    }

    @Test("The DSN of the envelope is used if the request names no key, and must match otherwise")
    func envelopeDSN() async throws {
        try await withCollector { collector in
            func send(_ dsn: String, _ query: String) async throws -> Int {
                let body = #"{"dsn":"\#(dsn)"}"# + "\n" + #"{"type":"event"}"# + "\n" + #"{"message":"m"}"#
                return try await TestHTTP(port: collector.port)
                    .send("POST", "/api/1/envelope/\(query)", body: Array(body.utf8)).status
            }
            let other = String(repeating: "0", count: 32)
            await expect(200) { try await send("https://\(key)@errors.example.com/1", "") }
            await expect(200) { try await send("https://\(key)@errors.example.com/1", "?sentry_key=\(key)") }
            await expect(400) { try await send("https://\(key)@errors.example.com/2", "?sentry_key=\(key)") }
            await expect(400) { try await send("https://\(other)@errors.example.com/1", "?sentry_key=\(key)") }
            await expect(403) { try await send("https://\(other)@errors.example.com/1", "") }
            await expect(401) { try await send("nonsense", "") }
        }
    }

    @Test("Browsers can send from any origin and read every response; other methods are refused")
    func origins() async throws {
        try await withCollector { collector in
            let http = TestHTTP(port: collector.port)
            let preflight = try await http.send(
                "OPTIONS",
                "/api/1/envelope/",
                headers: ["Origin": "https://shop.example"]
            )
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-methods"] == "POST")
            #expect(preflight.headers["access-control-allow-headers"]?.contains("x-sentry-auth") == true)
            let refused = try await http.send("POST", "/api/1/envelope/", body: [])
            #expect(refused.status == 400 || refused.status == 401)
            #expect(refused.headers["access-control-allow-origin"] == "*")
            #expect(refused.headers["access-control-expose-headers"]?.contains("x-sentry-error") == true)
            #expect(refused.headers["x-sentry-error"] != nil)
            for method in ["GET", "PUT", "DELETE"] {
                let answer = try await http.send(method, "/api/1/envelope/", body: event)
                #expect(answer.status == 405)
                #expect(answer.headers["allow"]?.contains("POST") == true)
            }
            // Old browsers send an event in the URL of an image.
            let data =
                Data(event).base64EncodedString().addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let image = try await http.get("/api/1/store/?sentry_key=\(key)&sentry_data=\(data)")
            #expect(image.status == 200)
            #expect(image.headers["content-type"] == "image/gif")
        }
    }

    @Test("Invalid bodies are answered with 4xx and a cause, and store nothing")
    func badBodies() async throws {
        try await withCollector(environment: ["WHORL_MAX_BODY_BYTES": "200000", "WHORL_MAX_INFLATED_BYTES": "3000000"])
        {
            collector in
            let http = TestHTTP(port: collector.port)
            func send(_ path: String, _ body: [UInt8], _ headers: [String: String] = [:]) async throws -> Int {
                let answer = try await http.send("POST", "\(path)?sentry_key=\(key)", headers: headers, body: body)
                #expect(try answer.json()["detail"]?.string != nil)
                return answer.status
            }
            let store = "/api/1/store/"
            let envelope = "/api/1/envelope/"
            await expect(400) { try await send(store, []) }
            await expect(400) { try await send(store, Array("{".utf8)) }
            await expect(400) { try await send(store, Array("[1]".utf8)) }
            await expect(400) { try await send(store, Array(String(repeating: "[", count: 100_000).utf8)) }
            await expect(400) { try await send(store, event, ["Content-Encoding": "gzip"]) }
            await expect(415) { try await send(store, event, ["Content-Encoding": "snappy"]) }
            await expect(415) { try await send(store, event, ["Content-Encoding": "gzip, gzip"]) }
            await expect(413) { try await send(store, [UInt8](repeating: 0x20, count: 200_001)) }
            await expect(400) { try await send(envelope, Array("{}\n{\"type\":\"event\",\"length\":99}\n{}".utf8)) }
            await expect(400) { try await send(envelope, Array("{}\n{\"type\":\"event\"}\n{bad".utf8)) }
            await expect(400) { try await send(envelope, Array("nonsense".utf8)) }
            let items = String(repeating: "{\"type\":\"x\"}\n\n", count: 300)
            await expect(413) { try await send(envelope, Array(("{}\n" + items).utf8)) }
            let large = Array("{\"message\":\"".utf8) + [UInt8](repeating: 0x61, count: 1_100_000) + Array("\"}".utf8)
            let packed = try await Self.gzipped(large)
            #expect(packed.count < 200_000)
            await expect(413) {
                try await send(
                    envelope,
                    try await Self.gzipped(Array("{}\n{\"type\":\"event\"}\n".utf8) + large),
                    ["Content-Encoding": "gzip"]
                )
            }
            await expect(413) {
                try await send(
                    store,
                    try await Self.gzipped([UInt8](repeating: 0x20, count: 40_000_000)),
                    ["Content-Encoding": "gzip"]
                )
            }
            let issues = try await collector.http.get("/api/0/projects/acme/web/issues/?query=").json()
            #expect(issues.array?.isEmpty == true)
        }
    }

    private static func gzipped(_ bytes: [UInt8]) async throws -> [UInt8] {
        let file = try temporaryDirectory("gzip") + "/body"
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        try await RunningProgram("/bin/gzip", [file], environment: ["PATH": "/usr/bin:/bin"]).exitStatus()
        defer { try? FileManager.default.removeItem(atPath: (file as NSString).deletingLastPathComponent) }
        return Array(try Data(contentsOf: URL(fileURLWithPath: file + ".gz")))
    }

    @Test("The client's address is read from a trusted proxy only, and stored only if the event asks for it")
    func clientAddress() async throws {
        try await withCollector(environment: ["WHORL_TRUSTED_PROXIES": "127.0.0.0/8"]) { collector in
            func address(_ event: JSON) async throws -> JSON? {
                let id = EventID.random()
                let body =
                    JSON.object([("event_id", .string(id.hex))]).encoded() + [0x0A] + Array(#"{"type":"event"}"#.utf8)
                    + [0x0A] + event.encoded()
                let answer = try await collector.send(
                    envelope: body,
                    headers: ["X-Forwarded-For": "203.0.113.9, 127.0.0.2"]
                )
                #expect(answer.status == 200)
                let stored = try await collector.http.get("/api/0/projects/acme/web/events/\(id.hex)/").json()
                return stored["user"]?["ip_address"]
            }
            await expect(JSON.string("203.0.113.9") as JSON?) {
                try await address(["user": ["ip_address": "{{auto}}"]])
            }
            await expect(JSON.string("203.0.113.9") as JSON?) { try await address(["platform": "javascript"]) }
            await expect(JSON.null as JSON?) { try await address(["user": ["id": "1"], "platform": "python"]) }
            await expect(JSON.string("198.51.100.1") as JSON?) {
                try await address(["user": ["ip_address": "198.51.100.1"]])
            }
        }
    }

    @Test("Changes to an event are noted on it")
    func notes() async throws {
        try await withCollector { collector in
            let id = EventID.random()
            let event: JSON = [
                "level": "loud", "release": "a/b", "tags": ["ok": "1", "bad key!": "2"],
                "timestamp": "2001-01-01T00:00:00Z",
                "exception": "nonsense",
            ]
            #expect(try await collector.send(event: event, id: id).status == 200)
            let stored = try await collector.http.get("/api/0/projects/acme/web/events/\(id.hex)/").json()
            let noted = (stored["errors"]?.array ?? []).compactMap { $0["data"]?["name"]?.string }
            #expect(Set(noted).isSuperset(of: ["level", "release", "tags.bad-key!", "timestamp", "exception"]))
            #expect(stored["_meta"]?["release"] != nil)
            #expect(stored["dateCreated"] == stored["dateReceived"])

            // A clock that is 40 days behind is corrected, and the event says so.
            let drifted = EventID.random()
            let sent = Timestamp.format(Date(timeIntervalSinceNow: -40 * 86_400))
            let header: JSON = ["event_id": .string(drifted.hex), "sent_at": .string(sent)]
            let payload: JSON = ["message": "m", "timestamp": .string(sent)]
            let body = header.encoded() + [0x0A] + Array(#"{"type":"event"}"#.utf8) + [0x0A] + payload.encoded()
            #expect(try await collector.send(envelope: body).status == 200)
            let shown = try await collector.http.get("/api/0/projects/acme/web/events/\(drifted.hex)/").json()
            #expect(shown["errors"]?.array?.map { $0["type"] } == ["clock_drift"])
        }
    }
}
