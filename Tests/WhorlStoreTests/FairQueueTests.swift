import Testing

@testable import WhorlStore

@Suite("The event queue serves projects in turn")
struct FairQueueTests {
    private func queue(_ elements: String) -> FairQueue<Character, String> {
        var queue = FairQueue<Character, String>()
        for (place, key) in elements.enumerated() { queue.append("\(key)\(place)", of: key, weight: 1) }
        return queue
    }

    @Test(
        "Projects take turns, in order of arrival within a project",
        arguments: [
            ("", ""), ("aaa", "a0 a1 a2"), ("aaab", "a0 b3 a1 a2"), ("abab", "a0 b1 a2 b3"),
            ("aaaabbc", "a0 b4 c6 a1 b5 a2 a3"),
        ]
    )
    func order(_ elements: String, _ expected: String) {
        var queue = queue(elements)
        var taken: [String] = []
        while let next = queue.popFirst() { taken.append(next) }
        #expect(taken.joined(separator: " ") == expected)
        #expect(queue.isEmpty && queue.weight == 0)
    }

    @Test("Behind any number of events of one project, another project's event is taken second")
    func flood() {
        var queue = queue(String(repeating: "a", count: 10_000))
        for _ in 0..<3_000 { _ = queue.popFirst() }
        queue.append("late", of: "b", weight: 5)
        #expect(queue.load(of: "a") == (7_000, 7_000))
        #expect(queue.weight == 7_005)
        let next = [queue.popFirst(), queue.popFirst()]
        #expect(next == ["a3000", "late"])
        #expect(queue.count == 6_999 && queue.weight == 6_999)
        #expect(queue.load(of: "b") == (0, 0))
    }

    @Test("Taken elements are released from memory")
    func memory() {
        final class Body: Sendable {}
        var queue = FairQueue<Int, Body>()
        for _ in 0..<3 { queue.append(Body(), of: 1, weight: 1) }
        weak let taken = queue.popFirst()
        #expect(taken == nil && queue.count == 2)
    }

    @Test("Removed elements no longer count and are not taken")
    func removal() {
        var queue = queue("aabbc")
        let removed = queue.removeAll { $0.hasPrefix("b") || $0 == "a0" }
        #expect(Set(removed) == ["a0", "b2", "b3"])
        #expect(queue.count == 2 && queue.weight == 2)
        #expect(Set(queue.heads) == ["a1", "c4"])
        #expect(queue.popFirst() == "a1")
        #expect(queue.popFirst() == "c4")
        #expect(queue.popFirst() == nil)
        queue.append("b9", of: "b", weight: 1)
        #expect(queue.popFirst() == "b9")
    }
}
