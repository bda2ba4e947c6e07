import Foundation
import Testing
import WhorlProtocol
import WhorlTestSupport

@Suite("Commands and settings")
struct CommandTests {
    private func run(
        _ arguments: [String],
        _ environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String) {
        let program = try RunningProgram(
            TestCollector.executable,
            arguments,
            environment: ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
        )
        let status = try await program.exitStatus()
        return (status, program.output)
    }

    @Test(
        "An invalid setting stops the start with one line that names the variable and the value",
        arguments: [
            ("PORT", "70000"), ("PORT", "http"), ("DATABASE_URL", "mysql://x"),
            ("WHORL_PUBLIC_URL", "errors.example.com"),
            ("WHORL_TRUSTED_PROXIES", "10.0.0.0/33"), ("WHORL_LOG_LEVEL", "loud"), ("WHORL_LOG_FORMAT", "xml"),
            ("WHORL_BOOTSTRAP_ORG", "Not A Slug"), ("WHORL_BOOTSTRAP_KEY", "ABC"), ("WHORL_BOOTSTRAP_TOKEN", "short"),
            ("WHORL_RETENTION_DAYS", "0"), ("WHORL_BATCH_EVENTS", "many"),
        ]
    )
    func badSettings(variable: String, value: String) async throws {
        let (status, output) = try await run(["serve"], [variable: value, "WHORL_DATA_DIR": "/nonexistent/whorl"])
        #expect(status == 64)
        #expect(output.split(separator: "\n").count == 1)
        #expect(output.contains(variable))
        // Messages do not contain the values of secrets.
        if !["DATABASE_URL", "WHORL_BOOTSTRAP_TOKEN"].contains(variable) { #expect(output.contains(value)) }
    }

    @Test("A flag overrides its variable, and the help lists every setting")
    func flags() async throws {
        let (status, output) = try await run(["serve", "--port", "99999"], ["PORT": "8000"])
        #expect(status == 64)
        #expect(output.contains("99999"))
        let help = try await run(["serve", "--help"])
        #expect(help.status == 0)
        for name in [
            "HOST", "PORT", "DATABASE_URL", "WHORL_PUBLIC_URL", "WHORL_METRICS_TOKEN", "WHORL_TRUSTED_PROXIES",
            "WHORL_DATA_DIR", "WHORL_BOOTSTRAP_ORG", "WHORL_BOOTSTRAP_PROJECT", "WHORL_BOOTSTRAP_KEY",
            "WHORL_BOOTSTRAP_TOKEN", "WHORL_LOG_LEVEL", "WHORL_LOG_FORMAT", "WHORL_RETENTION_DAYS",
        ] { #expect(help.output.contains(name)) }
    }

    @Test("explain shows what contributes to the hash and why the rest does not; an invalid rule is named by its line")
    func explain() async throws {
        let directory = try temporaryDirectory("explain")
        let event = directory + "/event.json"
        try """
        {"platform":"python","exception":{"values":[{"type":"E","value":"order 17","stacktrace":{"frames":[
        {"function":"pay","module":"shop","in_app":true},{"function":"call\\u001b[31m","module":"lib","in_app":false}]}}]}}
        """
        .write(toFile: event, atomically: true, encoding: .utf8)
        let shown = try await run(["explain", event])
        #expect(shown.status == 0)
        for part in ["app ", "system ", "+ function: pay", "not part of the application", "order <num>"] {
            #expect(shown.output.contains(part), "\(shown.output)")
        }
        #expect(!shown.output.contains("\u{1B}"))
        let rules = directory + "/rules"
        try "# fine\nerror.type:E -> mine title=\"Mine\"".write(toFile: rules, atomically: true, encoding: .utf8)
        let ruled = try await run(["explain", event, "--fingerprint-rules", rules, "--json"])
        #expect(ruled.status == 0 && ruled.output.contains("\"custom\"") && ruled.output.contains("title="))
        try "\nnonsense".write(toFile: rules, atomically: true, encoding: .utf8)
        let refused = try await run(["explain", event, "--stack-rules", rules])
        #expect(refused.status == 64 && refused.output.contains("line 2"))
        let started = try await run(["serve"], ["WHORL_STACK_RULES": rules, "WHORL_DATA_DIR": directory])
        #expect(started.status == 64 && started.output.contains("line 2"))
        #expect(try await run(["explain", directory + "/absent"]).status == 64)
    }

    @Test("dictionary train refuses too few events, and dictionary list shows the shipped dictionary")
    func dictionary() async throws {
        try await withCollector { collector in
            let database = ["DATABASE_URL": collector.databaseURL]
            for number in 0..<5 { _ = try await collector.send(event: ["message": .string("event \(number)")]) }
            let few = try await run(["dictionary", "train"], database)
            #expect(few.status == 64 && few.output.contains("too few"), "\(few.output)")
            let listed = try await run(["dictionary", "list"], database)
            #expect(listed.status == 0 && listed.output.contains("comes with the program"))
        }
    }

    @Test("A secret can be read from a file")
    func secretFile() async throws {
        let directory = try temporaryDirectory("secret")
        let file = directory + "/token"
        try "not long".write(toFile: file, atomically: true, encoding: .utf8)
        let (status, output) = try await run(["serve"], ["WHORL_BOOTSTRAP_TOKEN_FILE": file])
        #expect(status == 64)
        #expect(output.contains("WHORL_BOOTSTRAP_TOKEN"))
        let missing = try await run(["serve"], ["WHORL_METRICS_TOKEN_FILE": directory + "/absent"])
        #expect(missing.status == 64)
        #expect(missing.output.contains("WHORL_METRICS_TOKEN_FILE"))
        try FileManager.default.removeItem(atPath: directory)
    }

    @Test("Projects, keys and tokens are created, listed and disabled, and --json prints one object")
    func administration() async throws {
        let data = try temporaryDirectory("data")
        let environment = ["DATABASE_URL": try await TestCluster.shared.makeDatabase(), "WHORL_DATA_DIR": data]
        func object(_ arguments: String...) async throws -> JSON {
            let (status, output) = try await run(arguments + ["--json"], environment)
            #expect(status == 0, "\(arguments): \(output)")
            return JSON(try JSONDocument(Array(output.utf8)).root)
        }
        let project = try await object(
            "project",
            "create",
            "shop",
            "--org",
            "acme",
            "--name",
            "The Shop",
            "--platform",
            "python"
        )
        #expect(project["slug"] == "shop")
        let dsn = try #require(project["dsn"]?.string.flatMap { DSN($0) })
        #expect(dsn.projectID == project["id"]?.string)
        await expect(1) { try await object("project", "list")["projects"]?.array?.count }
        let key = try await object("key", "create", "acme/shop", "--label", "second")
        await expect(2) { try await object("key", "list", "shop")["keys"]?.array?.count }
        let name = try #require(key["publicKey"]?.string)
        await expect(JSON.bool(false) as JSON?) { try await object("key", "disable", "shop", name)["isActive"] }
        await expect(1) {
            try await object("key", "list", "shop")["keys"]?.array?.filter { $0["isActive"] == false }.count
        }
        let token = try await object("token", "create", "--org", "acme", "--scope", "event:read")
        #expect(token["token"]?.string?.utf8.count == 64)
        #expect(token["scopes"] == ["event:read"])
        await expect(1) { try await run(["project", "create", "shop", "--org", "acme"], environment).status }
        await expect(64) { try await run(["project", "create", "Bad Slug"], environment).status }
        await expect(1) { try await run(["key", "list", "absent"], environment).status }
        await expect(64) { try await run(["token", "create", "--org", "acme", "--scope", "all"], environment).status }
        await expect(64) { try await run(["token", "create"], environment).status }
        try FileManager.default.removeItem(atPath: data)
    }

    @Test("doctor reports no fault for a sound installation, and a remedy for each fault")
    func doctor() async throws {
        let data = try temporaryDirectory("data")
        let url = try await TestCluster.shared.makeDatabase()
        let good = try await run(["doctor", "--json"], ["DATABASE_URL": url, "WHORL_DATA_DIR": data])
        #expect(good.status == 0, "\(good.output)")
        #expect(JSON(try JSONDocument(Array(good.output.utf8)).root)["ok"] == true)
        let empty = try await TestCluster.shared.makeDatabase(migrated: false)
        let pending = try await run(["doctor"], ["DATABASE_URL": empty, "WHORL_DATA_DIR": data])
        #expect(pending.status == 1)
        #expect(pending.output.contains("FAULT migrations") && pending.output.contains("whorl migrate"))
        let away = try await run(
            ["doctor"],
            ["DATABASE_URL": "postgres://x@127.0.0.1:1/x", "WHORL_DATA_DIR": data]
        )
        #expect(away.status == 1)
        #expect(away.output.contains("FAULT database"))
        let bad = try await run(["doctor"], ["PORT": "x"])
        #expect(bad.status == 1)
        #expect(bad.output.contains("FAULT configuration"))
        try FileManager.default.removeItem(atPath: data)
    }

    @Test("send-test sends a real event and reads it back through the API or the database, if it has access")
    func sendTest() async throws {
        try await withCollector { collector in
            let nowhere = ["WHORL_DATA_DIR": "/nonexistent/whorl"]
            let api = try await run(["send-test", collector.dsn, "--token", TestCollector.token], nowhere)
            #expect(api.status == 0 && api.output.contains("read back through the API"), "\(api.output)")
            let data = try temporaryDirectory("data")
            let database = try await run(
                ["send-test", collector.dsn],
                ["DATABASE_URL": collector.databaseURL, "WHORL_DATA_DIR": data]
            )
            #expect(
                database.status == 0 && database.output.contains("read back through the database"),
                "\(database.output)"
            )
            let neither = try await run(["send-test", collector.dsn], nowhere)
            #expect(neither.status == 0 && neither.output.contains("not read back"), "\(neither.output)")
            let wrong = try await run(["send-test", collector.dsn, "--token", "wrong"], nowhere)
            #expect(wrong.status == 1)
            let other = collector.dsn.replacingOccurrences(
                of: TestCollector.publicKey,
                with: String(repeating: "0", count: 32)
            )
            await expect(1) { try await run(["send-test", other], nowhere).status }
            await expect(1) { try await run(["send-test", "http://abc@127.0.0.1:1/1"], nowhere).status }
            await expect(64) { try await run(["send-test", "nonsense"], nowhere).status }
            try FileManager.default.removeItem(atPath: data)
        }
    }

    @Test("serve --no-migrate refuses to start with pending migrations")
    func noMigrate() async throws {
        let data = try temporaryDirectory("data")
        let url = try await TestCluster.shared.makeDatabase(migrated: false)
        let environment = ["DATABASE_URL": url, "WHORL_DATA_DIR": data, "PORT": "0"]
        let refused = try await run(["serve", "--no-migrate"], environment)
        #expect(refused.status == 1)
        #expect(refused.output.contains("whorl migrate"))
        await expect(0) { try await run(["migrate"], environment).status }
        try await withCollector(databaseURL: url) { collector in
            await expect(200) { try await collector.http.get("/health").status }
        }
        try FileManager.default.removeItem(atPath: data)
    }
}
