import Testing

@testable import WhorlStore

@Suite("Plan of the hashes of a batch")
struct HashPlanTests {
    private func key(_ text: String, project: Int = 1) -> HashPlan.Key {
        .init(projectID: project, hash: Array(text.utf8))
    }
    private func known(_ issue: Int) -> HashPlan.Known { .init(id: issue * 10, issueID: issue, homeIssueID: issue) }

    @Test("Events with known hashes need no new rows")
    func nothing() {
        let plan = HashPlan([[key("a"), key("s")]], known: [key("a"): known(1), key("s"): known(2)])
        #expect(plan.isEmpty)
    }

    @Test("An event without a known hash creates an issue, and the next event with that hash joins it")
    func founds() {
        let plan = HashPlan([[key("a"), key("s")], [key("a")], [key("b"), key("s")]], known: [:])
        #expect(plan.newIssueEvents == [0])
        #expect(
            plan.further == [
                .init(key: key("s"), owner: .founder(key("a")), isLeading: false),
                .init(key: key("b"), owner: .founder(key("a")), isLeading: true),
            ]
        )
    }

    @Test("A new leading hash joins the issue of the first further hash that is known")
    func joins() {
        let plan = HashPlan(
            [[key("a"), key("x"), key("s"), key("t")]],
            known: [key("s"): .init(id: 7, issueID: 3, homeIssueID: 2), key("t"): known(4)]
        )
        #expect(plan.newIssueEvents.isEmpty)
        #expect(
            plan.further == [
                .init(key: key("a"), owner: .issue(id: 3, home: 2), isLeading: true),
                .init(key: key("x"), owner: .issue(id: 3, home: 2), isLeading: false),
            ]
        )
    }

    @Test("The leading hash decides if the hashes of an event point to different issues; projects are separate")
    func decides() {
        let plan = HashPlan(
            [[key("a"), key("s")], [key("a", project: 2)]],
            known: [key("a"): known(1), key("s"): known(2)]
        )
        #expect(plan.newIssueEvents == [1])
        #expect(plan.further.isEmpty)
    }
}
