import Testing
import WhorlProtocol
import WhorlTestSupport

@testable import WhorlProcessing

@Suite("Cost of rules")
struct RuleCostTests {
    @Test(
        "A glob matches the whole text, case-insensitively",
        arguments: [
            ("a", "A", true), ("a", "ab", false), ("*", "", true), ("a*", "abc", true), ("*c", "abC", true),
            ("a*c", "ac", true), ("a*c", "a", false), ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false),
            ("?", "x", true), ("?", "", false), ("a?c*?e", "abcdde", true), ("*b?d*", "aabcdd", true),
            ("ab*ba", "aba", false), ("ab*ba", "abba", true), ("**a**", "bab", true), ("*a", "a\u{0}a", true),
            ("a*", "b", false), ("*aab", "aaaab", true), ("x*a*x", "xax", true), ("x*a*x", "xx", false),
        ]
    )
    func globs(_ pattern: String, _ text: String, _ expected: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(text) == expected)
    }

    @Test("A glob agrees with a reference implementation on many short patterns and texts")
    func agrees() throws {
        func plain(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == UInt8(ascii: "*") {
                return (text.startIndex...text.endIndex).contains { plain(pattern.dropFirst(), text[$0...]) }
            }
            guard let byte = text.first, first == UInt8(ascii: "?") || first == byte else { return false }
            return plain(pattern.dropFirst(), text.dropFirst())
        }
        var generator = SystemRandomNumberGenerator()
        let signs = Array("ab*?".utf8)
        for _ in 0..<5_000 {
            let pattern = (0..<Int.random(in: 1...8, using: &generator)).map { _ in signs.randomElement()! }
            let text = (0..<Int.random(in: 0...10, using: &generator)).map { _ in signs[Int.random(in: 0...1)] }
            let glob = try #require(Glob(String(decoding: pattern, as: UTF8.self)))
            #expect(
                glob.matches(String(decoding: text, as: UTF8.self)) == plain(pattern[...], text[...]),
                "\(String(decoding: pattern, as: UTF8.self)) \(String(decoding: text, as: UTF8.self))"
            )
        }
    }

    @Test("The time of a match grows with the length of the text, not with the product of both lengths")
    func linear() throws {
        let pattern = "*" + String(repeating: "a", count: 190) + "b*"
        let glob = try #require(Glob(pattern))
        let text = String(repeating: "a", count: 2_048)
        let start = ContinuousClock.now
        for _ in 0..<2_000 { #expect(!glob.matches(text)) }
        // A backtracking match would need 200 × 2,048 comparisons, 2,000 times, which takes seconds.
        #expect(start.duration(to: .now) < scaledBound(.milliseconds(500)))
        #expect(Glob("*" + String(repeating: "?", count: 33) + "*") == nil)
        #expect(Glob("*" + String(repeating: "?", count: 32) + "*") != nil)
    }

    /// An event with `frames` frames whose paths are 2 KB long.
    private func event(frames: Int) throws -> Event {
        let path = String(repeating: "a", count: 2_000)
        let list = (0..<frames).map { #"{"abs_path":"\#(path)\#($0)","function":"f\#($0)"}"# }.joined(separator: ",")
        let text = #"{"exception":{"values":[{"type":"E","value":"x","stacktrace":{"frames":[\#(list)]}}]}}"#
        return Event(try JSONDocument(Array(text.utf8)).root)
    }

    @Test("Rules above the cost limit are skipped, the costly rule is named, and the event is grouped without them")
    func bound() throws {
        let long = (0..<200).map { "stack.abs_path:*\(String(repeating: "a", count: 150))\($0)b* -app" }
        var settings = GroupingSettings()
        settings.rules = try GroupingRules(stacks: long.joined(separator: "\n"))
        let event = try event(frames: 200)
        let start = ContinuousClock.now
        let grouping = Grouping(event, settings)
        #expect(start.duration(to: .now) < scaledBound(.seconds(2)))
        #expect(grouping.costlyRule?.hasPrefix("stack.abs_path:*aaa") == true)
        #expect(!grouping.hashes.isEmpty)
        let context = EventContext(projectID: 1, eventID: nil, receivedAt: .now)
        let processed = EventPipeline.reprocess(
            event,
            context,
            settings,
            payload: event.node.rawBytes,
            storedNotes: [],
            names: .none
        )
        #expect(processed.notes.contains(EventNote("", "grouping_rules_too_costly")))
        // A dozen ordinary rules for an ordinary stack trace are far below the limit.
        settings.rules = try GroupingRules(
            fingerprints: "error.type:Nope -> a\nmessage:*nothing* -> b",
            stacks: (0..<12).map { "stack.module:shop.m\($0).* -app" }.joined(separator: "\n")
        )
        #expect(Grouping(try self.event(frames: 60), settings).costlyRule == nil)
    }

    @Test("A template cannot repeat its parameters without limit")
    func templates() throws {
        let long = String(repeating: "x", count: 500_000)
        for template in [String(repeating: "{a}", count: 2_700), String(repeating: "%(a)s", count: 1_600)] {
            let text = #"{"logentry":{"message":"\#(template)","params":{"a":"\#(long)"}}}"#
            let event = Event(try JSONDocument(Array(text.utf8)).root)
            #expect((event.message?.shown?.utf8.count ?? 0) < 20_000)
        }
        let list = #"{"logentry":{"message":"%s and %s","params":["\#(long)",7]}}"#
        let event = Event(try JSONDocument(Array(list.utf8)).root)
        #expect(event.message?.shown?.hasSuffix("x and 7") == true)
        #expect((event.message?.shown?.utf8.count ?? 0) < 2_000)
    }
}
