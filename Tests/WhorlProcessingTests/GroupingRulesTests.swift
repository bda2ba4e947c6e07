import Foundation
import Testing
import WhorlProcessing
import WhorlProtocol

@Suite("Grouping rules")
struct GroupingRulesTests {
    private func event(_ json: JSON) throws -> Event { Event(try JSONDocument(json.encoded()).root) }

    private func fault(
        _ type: String = "E",
        functions: [String] = ["main_loop", "pay"],
        value: String = "x",
        line: Int = 1
    ) -> JSON {
        [
            "platform": "python", "level": "error",
            "exception": [
                "values": [
                    [
                        "type": .string(type), "value": .string(value),
                        "stacktrace": [
                            "frames": .array(
                                functions.enumerated()
                                    .map { place, name in
                                        [
                                            "function": .string(name), "module": .string("shop.m\(place)"),
                                            "filename": "shop/x.py", "in_app": true, "lineno": .int(line + place),
                                            "instruction_addr": .string("0x\(line)f0"),
                                        ]
                                    }
                            )
                        ],
                    ]
                ]
            ],
        ]
    }

    private func hashes(_ json: JSON, _ rules: GroupingRules = .none) throws -> [[UInt8]] {
        var settings = GroupingSettings()
        settings.rules = rules
        return Grouping(try event(json), settings).hashes.map(\.hash)
    }

    @Test(
        "An invalid rule is rejected with its line number and a reason",
        arguments: [
            ("error.type:X", "", 1, "->"), ("\n# c\nerror.type:X ->", "", 3, "1 to 20 parts"),
            ("-> x", "", 1, "1 to 20 conditions"), ("error.type: -> x", "", 1, "pattern"),
            ("colour:red -> x", "", 1, "colour"), ("error.type:\"X -> x", "", 1, "quote"),
            ("", "function:x", 1, "action"), ("", "\nfunction:x +nap", 2, "+nap"), ("", "-group", 1, "conditions"),
            ("", "error.type:X -group", 1, "not about frames"), ("", "max-frames=0", 1, "1 to 250"),
        ]
    )
    func badRules(_ fingerprints: String, _ stacks: String, _ line: Int, _ word: String) throws {
        do {
            _ = try GroupingRules(fingerprints: fingerprints, stacks: stacks)
            Issue.record("accepted: \(fingerprints)\(stacks)")
        } catch {
            #expect(error.line == line, "\(error)")
            #expect(error.reason.contains(word), "\(error)")
        }
    }

    @Test("The size and number of rules are limited")
    func bounds() {
        let many = (0...GroupingRules.maxRules).map { "type:E\($0) -> x" }.joined(separator: "\n")
        #expect(throws: GroupingRules.SyntaxError.self) { try GroupingRules(fingerprints: many) }
        let long = String(repeating: "#", count: GroupingRules.maxBytes + 1)
        #expect(throws: GroupingRules.SyntaxError.self) { try GroupingRules(fingerprints: long) }
    }

    @Test("The first matching rule sets fingerprint and title with variables, and overrides the client's fingerprint")
    func fingerprints() throws {
        let rules = try GroupingRules(
            fingerprints: """
                type:Nothing -> a
                type:E* !function:refund message:x* -> money, {{ type }} title="{{ type }} in {{ function }}"
                type:E -> never
                """
        )
        var settings = GroupingSettings()
        settings.rules = rules
        let first = Grouping(try event(fault()), settings)
        #expect(first.title == "E in pay")
        #expect(try hashes(fault(functions: ["other"]), rules) == first.hashes.map(\.hash))
        #expect(try hashes(fault("E2"), rules) != first.hashes.map(\.hash))
        var own = fault().object ?? []
        own.append(("fingerprint", ["mine"]))
        #expect(try hashes(.object(own), rules) == first.hashes.map(\.hash))
        // {{ default }} keeps the default hash and extends it.
        let salted = try GroupingRules(fingerprints: "type:E -> {{ default }}, {{ tags.shop }}")
        #expect(try hashes(fault(), salted).count == hashes(fault()).count)
        #expect(try hashes(fault(), salted) != hashes(fault()))
        #expect(try hashes(fault(functions: ["other"]), salted) != hashes(fault(), salted))
    }

    @Test("Stack-trace rules mark or exclude frames, also above and below a frame")
    func stacks() throws {
        let frames = ["start", "retry_once", "helper", "pay"]
        func with(_ rule: String, _ functions: [String] = frames) throws -> [[UInt8]] {
            try hashes(fault(functions: functions), GroupingRules(stacks: rule))
        }
        #expect(
            try with("function:retry_* -group", frames)
                == with("function:retry_* -group", ["start", "retry_twice", "helper", "pay"])
        )
        #expect(
            try with("function:helper ^-group")
                == with("function:helper ^-group", ["start", "retry_once", "helper", "refund"])
        )
        #expect(
            try with("function:helper v-group") == with("function:helper v-group", ["begin", "retry", "helper", "pay"])
        )
        #expect(try with("max-frames=1") == with("max-frames=1", ["x", "y", "z", "pay"]))
        let marked = try with("module:shop.m1 -app")
        #expect(marked.count == 2)
        #expect(marked != (try with("")))
    }

    @Test(
        "Lines, addresses, breadcrumbs, key order and white space do not change a hash; function and type do"
    )
    func properties() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let depth = Int.random(in: 1...12, using: &generator)
            let names = (0..<depth)
                .map { "f\($0)_\(["load", "save", "pay", "send"].randomElement(using: &generator) ?? "x")" }
            let base = fault(functions: names)
            let expected = try hashes(base)
            #expect(
                try hashes(
                    fault(
                        functions: names,
                        value: "other \(Int.random(in: 0...9_999))",
                        line: Int.random(in: 1...9_999)
                    )
                ) == expected
            )
            var members = base.object ?? []
            members.append(("breadcrumbs", ["values": [["message": .string("\(depth)")]]]))
            members.append(("extra", ["a": .int(depth)]))
            members.shuffle(using: &generator)
            #expect(try hashes(.object(members)) == expected)
            let spaced = JSON.object(members).text.replacing("\":", with: "\" :\n ")
                .replacing("shop", with: "\\u0073hop")
            #expect(Grouping(Event(try JSONDocument(Array(spaced.utf8)).root)).hashes.map(\.hash) == expected)
            var changed = names
            changed[depth - 1] = "another"
            #expect(try hashes(fault(functions: changed)) != expected)
            #expect(try hashes(fault("F", functions: names)) != expected)
        }
    }

    @Test(
        "Messages keep identifiers, and values are replaced by placeholders",
        arguments: [
            ("order 17 of 2026-11-20T10:00:00Z failed", "order <num> of <date> failed"),
            ("http2 stream 5 reset by 10.0.0.7:443", "http2 stream <num> reset by <ip>"),
            ("status code 404 for https://a.example/x?y=1.", "status code 404 for <url>."),
            ("errno 111: Connection refused", "errno 111: Connection refused"),
            ("SQLSTATE[23505]: duplicate key (id)=(93)", "SQLSTATE[23505]: duplicate key (id)=(<num>)"),
            ("mail to a.b@example.com took 12ms", "mail to <email> took <duration>"),
            ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 gone", "user <uuid> gone"),
            ("1.234,56 EUR or 1,234.56 or 12'345", "<num> EUR or <num> or <num>"),
            ("/srv/app/releases/7/config.yml not found", "<path> not found"),
            ("key=\"secret value\" flag=true", "key=<quoted_str> flag=<bool>"),
            ("at 0x7fff5fbff8c0 in db-3.internal", "at <hex> in <hostname>"),
            ("commit 9fceb02 by d41d8cd98f00b204e9800998ecf8427e", "commit <git_sha> by <md5>"),
            ("exit status 137 after 1h30m", "exit status 137 after <duration>"),
            ("utf8 sha256 x86_64 3rd 2fa", "utf8 sha256 x86_64 3rd 2fa"),
            ("Fri, 20 Nov 2026 10:00:00 GMT expired", "<date> expired"),
            ("order-12345 and user_98765", "order-<num> and user_<num>"),
        ]
    )
    func messages(_ message: String, _ expected: String) throws {
        let explanation = GroupingExplanation(try event(["message": .string(message)]))
        guard case .value(_, let text, _, _) = try #require(explanation.variants.first).component else {
            Issue.record("no message")
            return
        }
        #expect(text == expected)
    }
}
