import Testing
import WhorlProtocol
import WhorlTestSupport

@testable import WhorlProcessing

/// Clients can send any name, so normalizing names must neither crash the process nor take long.
@Suite("Malformed names")
struct MalformedNameTests {
    /// Strings that the rules of each language look for, and combining characters that join the character before them.
    private static let words = [
        "-", "-fun-", "fn", "anonymous fn", " in ", "\"-", "\"", "'", "Elixir.", "-inlined-", "/1-", "<impl ", " for ",
        ">", "<", " as ", "::", "{closure#", "}", "{{closure}}", "[", "]", "::h0123456789abcdef", "static ",
        "closure #",
        "closure #1 in ", "(", ")", " (", ") ", "): ", "(extension in ", "):", " in _", "specialized <", "> of ", " #",
        "protocol witness", " for ", "default argument ", " of ", "lambda$", "$lambda", "$", "$$Lambda", "$1", "_",
        "-[",
        "+[", "_block_invoke", "__", "operator", "()", "<lambda", "{lambda(", "$_", " requires ", " [with ", " const",
        "`", "`1", "<>c", ">b__", ">g__", "|", ") x ", "@", "@1", "MoveNext", "{ <lambda> }", ".func1", ".gowrap1",
        "-fm",
        "[...]", "block in ", "block (", ") in ", "rescue in ", "#", "_erb__", "*", "async ", " [as ", "/<", "?anon_",
        ".<fn>", ".<anonymous closure>", "new ", "<locals>.", "comp>", "class@anonymous", "{closure", "\u{0}", "a", "B",
        "\u{301}", "\u{200D}", "\u{1F1E9}", "\u{FE0F}", "é", "日", "\r", "\n", " ", ".", "..", "0", "$s1a", "_Z1a", "::",
    ]

    @Test("Every language's rules handle any mixture of these strings")
    func soup() {
        var generator = Generator(state: 0x1234_5678)
        for _ in 0..<15_000 {
            let name = (0..<Int.random(in: 1...7, using: &generator))
                .map { _ in Self.words[Int.random(in: 0..<Self.words.count, using: &generator)] }.joined()
            _ = BeamNames.function(name)
            _ = RustNames.isRust(name)
            _ = RustNames.function(name)
            _ = SwiftNames.isSwift(name)
            _ = SwiftNames.function(name)
            _ = CxxNames.function(name)
            _ = NativeNames.function(name, .none)
            _ = ObjectiveCNames.function(name)
            _ = DotNetNames.names(module: name, function: name)
            _ = JVMNames.names(module: name, function: name)
            _ = JVMNames.names(module: "a$\(name)$1", function: "invoke")
            _ = GoNames.function(name)
            _ = GoNames.module(name)
            _ = RubyNames.function(name)
            _ = PHPNames.function(name)
            _ = PHPNames.file(name)
            _ = PythonNames.function(name)
            _ = DartNames.function(name)
            _ = ScriptNames.function(name)
            _ = ScriptNames.isMinified(name)
            _ = FileNames.withoutHashes(name)
            _ = FileNames.withoutLongHashes(name)
            _ = FileNames.image(name)
            _ = MessageText.parameterised(name)
        }
    }

    @Test(
        "Names that once crashed the process are grouped",
        arguments: [
            ("elixir", "-fun-x"), ("rust", "<impl for X>::f"), ("native", " in \u{301}x"),
            ("native", "static  in \u{301}x"),
        ]
    )
    func traps(_ platform: String, _ name: String) throws {
        let event: JSON = [
            "platform": .string(platform),
            "exception": [
                "values": [["type": .string(name), "stacktrace": ["frames": [["function": .string(name)]]]]]
            ],
        ]
        #expect(!Grouping(try EventPipeline.parse(event.encoded()[...])).hashes.isEmpty)
    }

    @Test("Nested Swift names are processed up to a limit, in time that is not quadratic in their length")
    func nesting() {
        #expect(
            SwiftNames.function("specialized closure #1 (A) -> () in static Shop.total()") == "closure in Shop.total"
        )
        for unit in ["static ", "closure #1 in ", "(a in _A)", "specialized <a> of ", "default argument 0 of "] {
            let long = String(repeating: unit, count: 60_000 / unit.utf8.count)
            let start = ContinuousClock.now
            _ = SwiftNames.function("f" + long)
            _ = SwiftNames.function(long)
            #expect(start.duration(to: .now) < scaledBound(.seconds(5)), "\(unit)")
        }
    }

    @Test("Names and messages are normalized up to a byte limit per event; the rest is used as sent")
    func budget() throws {
        let budget = CleaningBudget.names
        #expect(budget.allows(nil) && budget.allows(String(repeating: "a", count: 4_096)))
        #expect(!budget.allows(String(repeating: "a", count: 4_097)))
        for _ in 0..<31 { #expect(budget.allows(String(repeating: "a", count: 4_096))) }
        #expect(!budget.allows("a") && budget.allows(nil))

        // Exception messages without a stack trace have a limit of 32 KiB.
        let messages = StackContext(rules: nil, meter: RuleMeter(), version: .third)
        let message = String(repeating: "a 17 ", count: 1_600)
        let cleaned = (0..<10).map { _ in messages.parameterised(message) }
        #expect(cleaned.count { !$0.contains("17") } == 4)
        #expect(cleaned.suffix(6).allSatisfy { $0 == message })

        // The length of the demangled name counts, not that of the mangled name.
        var event = try EventPipeline.parse(
            JSON.object([
                ("platform", "native"),
                (
                    "exception",
                    [
                        "values": [
                            [
                                "type": "E",
                                "stacktrace": ["frames": .array(.init(repeating: ["function": "_Z1x"], count: 100))],
                            ]
                        ]
                    ]
                ),
            ])
            .encoded()[...]
        )
        event.names = DemangledNames(["_Z1x": "a<" + String(repeating: "b", count: 3_000) + ">::c()"])
        let stack = try #require(event.exceptions.first?.stacktrace)
        let context = StackContext(rules: nil, meter: RuleMeter(), version: .third)
        let functions = StackRule(stack, event, context).frames.map(\.function)
        #expect(functions.count { $0 == "a::c" } == 43)
        #expect(functions.count { $0 == "_Z1x" } == 57)
    }

    /// A generator that yields the same numbers in each run.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}
