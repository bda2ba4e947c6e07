import Foundation
import Testing
import WhorlProcessing
import WhorlProtocol
import WhorlTestSupport

/// Pairs of events in `Tests/Fixtures/grouping` with the grouping that a person expects.
@Suite("Grouping corpus")
struct GroupingCorpusTests {
    struct Pair: CustomTestStringConvertible {
        let path: String
        let name: String
        let reason: String
        let areSame: Bool
        var first: Event
        var second: Event

        var testDescription: String { path }

        init(path: String, _ root: JSONNode) throws {
            self.path = path
            let pair = JSON(root)
            guard let name = pair["name"]?.string, let reason = pair["reason"]?.string,
                let expected = pair["expected"]?.string, ["same", "different"].contains(expected),
                let a = root.member("a"), let b = root.member("b")
            else { throw TestFailure("\(path) is not a pair") }
            self.name = name
            self.reason = reason
            areSame = expected == "same"
            first = Event(a)
            second = Event(b)
        }
    }

    static func pairs() throws -> [Pair] {
        try FixtureFile.all("grouping").map { try Pair(path: $0.name, $0.root) }
    }

    /// Whether the second event joins the issue that the first event created.
    static func join(_ first: Event, _ second: Event, _ settings: GroupingSettings = .init()) -> Bool {
        let known = Set(Grouping(first, settings).hashes.map(\.hash))
        return Grouping(second, settings).hashes.contains { known.contains($0.hash) }
    }

    @Test("Each pair is grouped into one issue or two, as expected")
    func pairs() async throws {
        var pairs = try Self.pairs()
        #expect(pairs.count >= 300)
        for index in pairs.indices {
            pairs[index].first.names = await NameDemangler.shared.names(of: pairs[index].first, projectID: 1)
            pairs[index].second.names = await NameDemangler.shared.names(of: pairs[index].second, projectID: 1)
        }
        for pair in pairs where Self.join(pair.first, pair.second) != pair.areSame {
            Issue.record("\(pair.path): grouped \(pair.areSame ? "apart" : "together"), but: \(pair.reason)")
        }
    }
}
