import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("sentry-cli", .serialized)
struct SentryCLITests {
    @Test("Its commands work without changes", arguments: ["3.8.2", "2.58.6"])
    func commands(version: String) async throws {
        let python = try await PythonEnvironment.make("cli-\(version)", requirements: "sentry-cli==\(version)\n")
        let home = try temporaryDirectory("home")
        defer { try? FileManager.default.removeItem(atPath: home) }
        try await withCollector { collector in
            func cli(_ arguments: String...) async throws -> String {
                let program = try RunningProgram(
                    python.program("sentry-cli"),
                    arguments,
                    environment: [
                        "PATH": "/usr/bin:/bin", "HOME": home, "SENTRY_URL": "http://127.0.0.1:\(collector.port)",
                        "SENTRY_AUTH_TOKEN": TestCollector.token, "SENTRY_ORG": "acme", "SENTRY_PROJECT": "web",
                        "SENTRY_DSN": collector.dsn,
                    ]
                )
                let status = try await program.exitStatus()
                #expect(status == 0, "\(arguments): \(program.output)")
                return program.output
            }
            await expect(true) { try await cli("info").contains("- event:read") }
            await expect(true) { try await cli("organizations", "list").contains("| acme") }
            await expect(true) { try await cli("projects", "list").contains("| web") }
            await expect(true) { try await cli("issues", "list").contains("No issues found") }

            let sent = try await cli("send-event", "-m", "the kettle is cold", "--no-environ")
            let id = try #require(sent.split(separator: " ").last.flatMap { EventID($0.trimmingPrefix("\n")) })
            await expect(true) { try await cli("events", "list").contains(id.uuid.uuidString.lowercased()) }
            let listed = try await cli("issues", "list")
            #expect(listed.contains("WEB-1") && listed.contains("the kettle is cold") && listed.contains("unresolved"))

            let issue = try await collector.http.get("/api/0/projects/acme/web/issues/").json().array?.first
            let number = try #require(issue?["id"]?.string)
            await expect(true) { try await cli("issues", "resolve", "-i", number).contains("new status: resolved") }
            await expect(true) {
                try await cli("issues", "list", "--query", "is:unresolved").contains("No issues found")
            }
            await expect(true) {
                try await cli("issues", "unresolve", "-s", "resolved").contains("new status: unresolved")
            }
            await expect(true) { try await cli("issues", "list", "--query", "is:unresolved").contains("WEB-1") }

            let envelope = home + "/envelope"
            let raw =
                #"{"event_id":"7f9d34a8c3b14a5e9d0d7f2b1c0e4a55"}"# + "\n" + #"{"type":"event"}"# + "\n"
                + #"{"message":"from a file"}"# + "\n"
            try raw.write(toFile: envelope, atomically: true, encoding: .utf8)
            await expect(true) { try await cli("send-envelope", "--raw", envelope).contains("dispatched") }
            let event = try await collector.http.get(
                "/api/0/projects/acme/web/events/7f9d34a8c3b14a5e9d0d7f2b1c0e4a55/"
            )
            #expect(try event.json()["title"] == "from a file")
        }
    }
}
