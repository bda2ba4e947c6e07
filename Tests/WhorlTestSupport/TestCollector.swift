import Foundation
import Glibc
import Testing
import WhorlProtocol

/// A collector that runs as a separate program, as in production, on a free port and a new database.
package struct TestCollector: Sendable {
    /// The organisation, project, key and token that every test collector creates at startup.
    package static let organization = "acme"
    package static let project = "web"
    package static let publicKey = "b3d1c6a0f7e84a2f9c5d0e1f2a3b4c5d"
    package static let token = String(repeating: "0123456789abcdef", count: 4)

    package let program: RunningProgram
    package let port: Int
    package let databaseURL: String
    package let dataDirectory: String

    /// An HTTP client for the collector that sends the token.
    package var http: TestHTTP { TestHTTP(port: port, token: Self.token) }
    package var dsn: String { "http://\(Self.publicKey)@127.0.0.1:\(port)/1" }

    /// The program under test: the debug build, or the path in `WHORL_TEST_EXECUTABLE`.
    package static var executable: String { named ?? built }

    /// The program next to the test bundle, from the same build.
    private static let built = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("whorl").path

    /// Whether the program is a release build, which must keep the bounds that the project promises.
    package static var isRelease: Bool { named != nil }

    private static var named: String? { ProcessInfo.processInfo.environment["WHORL_TEST_EXECUTABLE"] }

    /// The memory limit of the whole process in bytes; a debug build needs more.
    package static var maxMemory: Double { isRelease ? 300e6 : 400e6 }

    /// The folder of the repository.
    package static var repository: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    /// Starts a collector and waits until it listens.
    ///
    /// `wrapper` is a program with its arguments that runs the collector as its child.
    package static func start(
        databaseURL: String? = nil,
        environment: [String: String] = [:],
        wrapper: [String] = []
    ) async throws -> TestCollector {
        let url: String
        if let databaseURL { url = databaseURL } else { url = try await TestCluster.shared.makeDatabase() }
        var settings = [
            "PATH": "/usr/bin:/bin", "DATABASE_URL": url, "PORT": "0", "WHORL_LOG_FORMAT": "json",
            "WHORL_DATA_DIR": try temporaryDirectory("data"), "WHORL_BOOTSTRAP_ORG": organization,
            "WHORL_BOOTSTRAP_PROJECT": project, "WHORL_CANARY": "off", "WHORL_BOOTSTRAP_KEY": publicKey,
            "WHORL_BOOTSTRAP_TOKEN": token,
        ]
        settings.merge(environment) { $1 }
        let program = try RunningProgram(
            wrapper.first ?? executable,
            wrapper.dropFirst() + (wrapper.isEmpty ? [] : [executable]) + ["serve"],
            environment: settings
        )
        let line = try await program.line(containing: "\"listening\"")
        let address = JSON(try JSONDocument(Array(line.utf8)).root)["server.address"]?.string ?? ""
        guard let port = address.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw TestFailure("no port in \(line)")
        }
        return TestCollector(
            program: program,
            port: port,
            databaseURL: url,
            dataDirectory: settings["WHORL_DATA_DIR"] ?? ""
        )
    }

    /// The value of a metric; `name` is its line without the value, and the result is nil if no such line exists.
    package func metric(_ name: String) async throws -> Double? {
        let answer = try await TestHTTP(port: port).get("/metrics")
        for line in answer.text.split(separator: "\n") where line.hasPrefix(name + " ") {
            return Double(line.dropFirst(name.count + 1))
        }
        return nil
    }

    /// Sends an envelope with one event.
    package func send(event: JSON, id: EventID? = nil) async throws -> TestAnswer {
        let header: JSON = id.map { ["event_id": .string($0.hex)] } ?? [:]
        let payload = event.encoded()
        let item: JSON = ["type": "event", "length": .int(payload.count)]
        return try await send(envelope: header.encoded() + [0x0A] + item.encoded() + [0x0A] + payload)
    }

    package func send(envelope: [UInt8], headers: [String: String] = [:]) async throws -> TestAnswer {
        var all = ["X-Sentry-Auth": "Sentry sentry_key=\(Self.publicKey), sentry_version=7"]
        all.merge(headers) { $1 }
        return try await TestHTTP(port: port).send("POST", "/api/1/envelope/", headers: all, body: envelope)
    }
}

/// Runs the body with a collector, and stops the collector afterwards.
package func withCollector<Value>(
    databaseURL: String? = nil,
    environment: [String: String] = [:],
    _ body: (TestCollector) async throws -> Value
) async throws -> Value {
    let collector = try await TestCollector.start(databaseURL: databaseURL, environment: environment)
    // A directory that the test passed in belongs to the test.
    defer {
        if environment["WHORL_DATA_DIR"] == nil { try? FileManager.default.removeItem(atPath: collector.dataDirectory) }
    }
    do {
        let value = try await body(collector)
        await collector.program.stop()
        return value
    } catch {
        await collector.program.stop()
        throw error
    }
}

extension TestCollector {
    /// Fails if a task of the collector's thread pool ran late in the last minute, because something blocked the pool.
    ///
    /// The bound is 50 ms for a release build. For a debug build it is one second times ``MachineSpeed/factor``.
    package func expectFreeThreadPool(_ location: SourceLocation = #_sourceLocation) async throws {
        let delay = try await metric("whorl_thread_pool_delay_seconds")
        let bound = Self.isRelease ? 0.05 : MachineSpeed.factor
        #expect((delay ?? .infinity) <= bound, "a task ran \(delay ?? -1) s late", sourceLocation: location)
    }
}

extension TestCollector {
    /// Creates a new token with read access to the organisation, with the `token create` command.
    package func makeToken() async throws -> String {
        let program = try RunningProgram(
            Self.executable,
            ["token", "create", "--org", Self.organization, "--name", "test", "--json"],
            environment: ["PATH": "/usr/bin:/bin", "DATABASE_URL": databaseURL, "WHORL_DATA_DIR": dataDirectory]
        )
        let status = try await program.exitStatus()
        guard status == 0, let token = JSON(try JSONDocument(Array(program.output.utf8)).root)["token"]?.string else {
            throw TestFailure("no token: \(program.output)")
        }
        return token
    }
}
