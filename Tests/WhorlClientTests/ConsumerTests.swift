import Foundation
import Testing
import WhorlTestSupport

@Suite("An application that imports the client")
struct ConsumerTests {
    @Test("It can have targets named API, Server and Web, and builds no server code")
    func builds() throws {
        let folder = TestCollector.repository + "/Tests/Fixtures/consumer"
        #expect(FileManager.default.isExecutableFile(atPath: folder + "/.build/debug/Server"))
        let modules = try FileManager.default.contentsOfDirectory(atPath: folder + "/.build/debug/Modules")
            .filter { $0.hasSuffix(".swiftmodule") }
        #expect(
            Set(modules) == [
                "API.swiftmodule", "Web.swiftmodule", "Server.swiftmodule", "WhorlClient.swiftmodule",
                "WhorlProtocol.swiftmodule",
            ]
        )
    }

    @Test("Without package traits it resolves no dependency of the server")
    func resolves() throws {
        let folder = TestCollector.repository + "/Tests/Fixtures/consumer"
        let checkouts = try? FileManager.default.contentsOfDirectory(atPath: folder + "/.build/checkouts")
        #expect(checkouts ?? [] == [])
        let resolved = try? String(contentsOfFile: folder + "/Package.resolved", encoding: .utf8)
        #expect(resolved == nil || resolved?.contains("\"identity\"") == false)
    }

    @Test("It runs")
    func runs() async throws {
        let program = try RunningProgram(TestCollector.repository + "/Tests/Fixtures/consumer/.build/debug/Server", [])
        #expect(try await program.exitStatus() == 0)
        #expect(program.output == "reported")
    }
}
