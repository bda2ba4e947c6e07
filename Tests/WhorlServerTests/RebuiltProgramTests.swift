import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

/// Errors of real programs, sent from two builds with different line numbers.
@Suite("The same error from two builds is one issue")
struct RebuiltProgramTests {
    private func issues(_ collector: TestCollector) async throws -> [JSON] {
        try await collector.http.get("/api/0/projects/acme/web/issues/?query=").json().array ?? []
    }

    private func run(_ path: String, _ arguments: [String], _ environment: [String: String]) async throws {
        let program = try RunningProgram(
            path,
            arguments,
            environment: ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
        )
        let status = try await program.exitStatus(within: 60)
        try #require(status == 0, "\(program.output)")
    }

    /// Expects `count` events in one issue.
    private func expectOneIssue(_ collector: TestCollector, _ count: Int) async throws {
        let isThere = try await eventually(within: .seconds(20)) {
            try await issues(collector).compactMap { $0["count"]?.string.flatMap { Int($0) } }.reduce(0, +) == count
        }
        #expect(isThere)
        let found = try await issues(collector)
        #expect(found.count == 1, "\(found.compactMap { $0["title"]?.string })")
    }

    @Test("A Swift program with the Whorl client")
    func swift() async throws {
        try await withCollector { collector in
            let folder = TestCollector.repository + "/Tests/Fixtures/consumer"
            for (build, order) in [(".build", 17), (".build-shifted", 4_711)] {
                try await run(
                    "\(folder)/\(build)/debug/Server",
                    [],
                    ["WHORL_DSN": collector.dsn, "RELEASE": "shop@\(order)", "ORDER": "\(order)"]
                )
            }
            try await expectOneIssue(collector, 2)
            let id = try await issues(collector).first?["id"]?.string ?? ""
            let event = try await collector.http.get("/api/0/issues/\(id)/events/latest/").json()
            #expect(event["culprit"]?.string?.contains("report(_:)") == true)
        }
    }

    @Test("A Python program with sentry-sdk")
    func python() async throws {
        let requirements = try String(
            contentsOfFile: TestCollector.repository + "/Tests/Fixtures/sdk/requirements-newest.txt",
            encoding: .utf8
        )
        let python = try await PythonEnvironment.make("sdk-newest", requirements: requirements)
        let program = """
            import sys
            import sentry_sdk

            sentry_sdk.init(sys.argv[1], release=sys.argv[2])


            def charge(order):
                raise ValueError(f"order {order} refused")


            def handle(order):
                return charge(order)


            try:
                handle(int(sys.argv[3]))
            except ValueError as error:
                sentry_sdk.capture_exception(error)
            sentry_sdk.flush()
            """
        try await withCollector { collector in
            for (build, padding) in [("releases/20261101", ""), ("releases/20261121", "# a line\n# and another\n")] {
                let folder = try temporaryDirectory("python") + "/" + build
                defer { try? FileManager.default.removeItem(atPath: folder) }
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try (padding + program).write(toFile: folder + "/shop.py", atomically: true, encoding: .utf8)
                try await run(
                    python.program("python"),
                    [folder + "/shop.py", collector.dsn, build, padding.isEmpty ? "17" : "18"],
                    [:]
                )
            }
            try await expectOneIssue(collector, 2)
        }
    }

    @Test("A Node program")
    func node() async throws {
        // Debian has no Sentry SDK for Node, so the program sends V8's stack trace in the format of that SDK.
        let program = """
            function charge(order) { throw new TypeError(`order ${order.id} refused`); }
            class Shop { async handle(order) { await null; return charge(order); } }

            function frame(line) {
              const match = /^\\s*at (?:(.+?) \\()?(?:file:\\/\\/)?(.*?):(\\d+):(\\d+)\\)?$/.exec(line);
              if (!match) return null;
              return { function: match[1] || '?', filename: match[2], lineno: +match[3], colno: +match[4],
                in_app: !match[2].startsWith('node:') && !match[2].includes('node_modules') };
            }

            new Shop().handle({ id: process.argv[4] }).catch(async error => {
              const frames = error.stack.split('\\n').slice(1).map(frame).filter(Boolean).reverse();
              const event = { platform: 'node', release: process.argv[3], exception: { values: [
                { type: error.name, value: error.message, stacktrace: { frames } }] } };
              const body = '{}\\n{"type":"event"}\\n' + JSON.stringify(event);
              const url = new URL(process.argv[2]);
              const answer = await fetch(`${url.origin}/api/1/envelope/?sentry_key=${url.username}`, { method: 'POST', body });
              process.exit(answer.status === 200 ? 0 : 1);
            });
            """
        try await withCollector { collector in
            for (build, padding) in [("app-1", ""), ("app-2", "// a line\n// and another\n\n")] {
                let folder = try temporaryDirectory("node") + "/" + build
                defer { try? FileManager.default.removeItem(atPath: folder) }
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try (padding + program).write(toFile: folder + "/shop.js", atomically: true, encoding: .utf8)
                try await run(
                    "/usr/bin/node",
                    [folder + "/shop.js", collector.dsn, build, padding.isEmpty ? "17" : "18"],
                    [:]
                )
            }
            try await expectOneIssue(collector, 2)
        }
    }
}
