import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("sentry-sdk for Python", .serialized)
struct PythonSDKTests {
    private static let folder = TestCollector.repository + "/Tests/Fixtures/sdk"

    /// Runs a scenario of `drive.py`, and returns the ids of the events it sent.
    private func drive(
        _ python: PythonEnvironment,
        _ collector: TestCollector,
        _ scenario: String,
        _ arguments: String...
    ) async throws -> [String] {
        let program = try RunningProgram(
            python.program("python"),
            [Self.folder + "/drive.py", scenario] + arguments,
            environment: ["PATH": "/usr/bin:/bin", "SENTRY_DSN": collector.dsn]
        )
        let status = try await program.exitStatus(within: 60)
        try #require(status == 0, "\(scenario): \(program.output)")
        let result = JSON(try JSONDocument(Array(program.output.utf8)).root)
        let ids = (result["event_ids"]?.array ?? []).compactMap(\.string)
        try #require(!ids.isEmpty, "\(scenario): \(program.output)")
        return ids
    }

    private func event(_ collector: TestCollector, _ id: String) async throws -> JSON {
        let answer = try await collector.http.get("/api/0/projects/acme/web/events/\(id)/")
        try #require(answer.status == 200)
        return try answer.json()
    }

    private func entry(_ event: JSON, _ type: String) -> JSON? {
        event["entries"]?.array?.first { $0["type"]?.string == type }?["data"]
    }

    private func tag(_ event: JSON, _ key: String) -> String? {
        event["tags"]?.array?.first { $0["key"]?.string == key }?["value"]?.string
    }

    private func issue(of event: JSON, _ collector: TestCollector) async throws -> JSON {
        try await collector.http.get("/api/0/issues/\(event["groupID"]?.string ?? "")/").json()
    }

    private func frames(_ exception: JSON?) -> [JSON] { exception?["stacktrace"]?["frames"]?.array ?? [] }

    @Test("Reported events are shown unchanged, one issue per fault", arguments: ["newest", "1.45.1", "0.14.4"])
    func everyScenario(version: String) async throws {
        let requirements = try String(contentsOfFile: "\(Self.folder)/requirements-\(version).txt", encoding: .utf8)
        let python = try await PythonEnvironment.make("sdk-\(version)", requirements: requirements)
        try await withCollector { collector in
            try await plain(python, collector)
            try await repeated(python, collector)
            try await chained(python, collector)
            try await grouped(python, collector, isExpanded: version != "0.14.4")
            try await message(python, collector)
            try await aiohttp(python, collector)
            try await flask(python, collector)
        }
    }

    private func plain(_ python: PythonEnvironment, _ collector: TestCollector) async throws {
        let event = try await event(collector, drive(python, collector, "plain")[0])
        #expect(event["title"] == "OrderError: order 17 failed")
        #expect(event["culprit"] == "__main__ in charge")
        #expect(event["location"] == "drive.py")
        #expect(event["metadata"]?["function"] == "charge")
        #expect(tag(event, "checkout") == "card")
        #expect(tag(event, "environment") == "staging")
        #expect(tag(event, "release") == "shop@1.4.2")
        #expect(event["user"]?["id"] == "42")
        #expect(event["user"]?["email"] == "jane@example.test")
        let crumbs = entry(event, "breadcrumbs")?["values"]?.array ?? []
        #expect(crumbs.map { $0["message"] } == ["added tea"])
        #expect(crumbs.first?["data"]?["quantity"] == 2)
        let frames = frames(entry(event, "exception")?["values"]?.array?.last)
        #expect(frames.map { $0["function"] } == ["capture", "place_order", "charge"])
        #expect(frames.last?["inApp"] == true)
        #expect(frames.last?["vars"]?["currency"] == "'EUR'")
        let line = frames.last?["context"]?.array?.first { $0.array?.first == frames.last?["lineNo"] }
        #expect(line?.array?.last?.string?.contains("raise OrderError") == true)
    }

    private func repeated(_ python: PythonEnvironment, _ collector: TestCollector) async throws {
        let ids = try await drive(python, collector, "plain-repeat", "12")
        #expect(ids.count == 12)
        var issues: Set<String> = []
        for id in ids { issues.insert(try await event(collector, id)["groupID"]?.string ?? "") }
        // Twelve messages with different numbers join the issue of the plain scenario.
        #expect(issues.count == 1)
        let issue = try await issue(of: try await event(collector, ids[0]), collector)
        #expect(issue["count"] == "13")
        #expect(issue["userCount"] == 1)
    }

    private func chained(_ python: PythonEnvironment, _ collector: TestCollector) async throws {
        let event = try await event(collector, drive(python, collector, "chained")[0])
        #expect(event["title"] == "OrderError: no price for the order")
        let values = entry(event, "exception")?["values"]?.array ?? []
        #expect(values.map { $0["type"] } == ["KeyError", "OrderError"])
        #expect(values.first?["value"] == "'cake'")
        #expect(frames(values.first).last?["function"] == "load_price")
    }

    private func grouped(_ python: PythonEnvironment, _ collector: TestCollector, isExpanded: Bool) async throws {
        let first = try await event(collector, drive(python, collector, "grouped")[0])
        let second = try await event(collector, drive(python, collector, "grouped")[0])
        #expect(first["groupID"] == second["groupID"])
        #expect(first["title"]?.string?.hasPrefix("ExceptionGroup: import failed") == true)
        let types = (entry(first, "exception")?["values"]?.array ?? []).compactMap { $0["type"]?.string }
        #expect(
            types
                == (isExpanded
                    ? ["TypeError", "OSError", "ExceptionGroup", "ValueError", "ExceptionGroup"] : ["ExceptionGroup"])
        )
    }

    private func message(_ python: PythonEnvironment, _ collector: TestCollector) async throws {
        let event = try await event(collector, drive(python, collector, "message")[0])
        #expect(event["title"] == "stock of tea is low")
        #expect(event["level"] == "warning")
        #expect(event["type"] == "default")
    }

    private func aiohttp(_ python: PythonEnvironment, _ collector: TestCollector) async throws {
        let event = try await event(collector, drive(python, collector, "aiohttp")[0])
        #expect(event["title"] == "OrderError: order 17 failed")
        #expect(event["culprit"] == "__main__.aiohttp.<locals>.order_handler")
        let request = entry(event, "request")
        #expect(request?["method"] == "GET")
        #expect(request?["url"]?.string?.hasSuffix("/orders/17") == true)
        #expect(request?["query"] == [["coupon", "spring"]])
        #expect(tag(event, "handled") == "no")
        #expect(try await issue(of: event, collector)["isUnhandled"] == true)
    }

    private func flask(_ python: PythonEnvironment, _ collector: TestCollector) async throws {
        let ids = try await drive(python, collector, "flask")
        #expect(ids.count == 1)
        let event = try await event(collector, ids[0])
        #expect(event["culprit"] == "pay")
        let request = entry(event, "request")
        #expect(request?["method"] == "POST")
        #expect(request?["url"] == "http://localhost/pay/17")
        #expect(request?["data"]?["card"] == "visa")
        let functions = frames(entry(event, "exception")?["values"]?.array?.last).suffix(3).map { $0["function"] }
        #expect(functions == ["pay", "place_order", "charge"])
    }
}
