/// A queue in which senders take turns: who sends a thousand events at once does not make others wait for them.
///
/// Within a sender the order of arrival stays.
struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    private struct Line {
        /// The elements from ``head`` on; those before it were taken.
        var elements: [Element?] = []
        var head = 0
        var weight = 0

        var count: Int { elements.count - head }

        var waiting: [Element] { elements[head...].compactMap(\.self) }

        mutating func popFirst() -> Element? {
            defer {
                // What was taken must not stay in memory.
                elements[head] = nil
                head += 1
                // Taken elements go in large pieces, so that taking one costs the same however many wait.
                if head > 64, head * 2 > elements.count {
                    elements.removeFirst(head)
                    head = 0
                }
            }
            return elements[head]
        }
    }

    private var lines: [Key: Line] = [:]
    /// Whose turn it is, and then: each key that has something waiting, once; from ``turn`` on.
    private var turns: [Key] = []
    private var turn = 0
    /// Elements of all keys.
    private(set) var count = 0
    /// What all elements weigh together, such as bytes.
    private(set) var weight = 0

    var isEmpty: Bool { count == 0 }

    /// Elements of a key, and their weight.
    func load(of key: Key) -> (count: Int, weight: Int) {
        lines[key].map { ($0.count, $0.weight) } ?? (0, 0)
    }

    mutating func append(_ element: Element, of key: Key, weight: Int) {
        if lines[key] == nil { turns.append(key) }
        lines[key, default: Line()].elements.append(element)
        lines[key]?.weight += weight
        count += 1
        self.weight += weight
    }

    /// The next element by turns; `weight` says what it weighs.
    mutating func popFirst(weight: (Element) -> Int) -> Element? {
        guard turn < turns.count else { return nil }
        let key = turns[turn]
        turn += 1
        guard var line = lines.removeValue(forKey: key) else { return nil }
        guard let element = line.popFirst() else { return nil }
        count -= 1
        line.weight -= weight(element)
        self.weight -= weight(element)
        if line.count > 0 {
            lines[key] = line
            turns.append(key)
        }
        if turn > 64, turn * 2 > turns.count {
            turns.removeFirst(turn)
            turn = 0
        }
        return element
    }

    /// The first element of each key.
    var heads: some Sequence<Element> { lines.values.lazy.compactMap { $0.elements[$0.head] } }

    /// Takes out every element of which this holds, key by key.
    mutating func removeAll(weight: (Element) -> Int, where condition: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for (key, line) in lines {
            let waiting = line.waiting
            let kept = waiting.filter { !condition($0) }
            guard kept.count < waiting.count else { continue }
            removed += waiting.filter(condition)
            lines[key] = kept.isEmpty ? nil : Line(elements: kept, weight: kept.reduce(0) { $0 + weight($1) })
        }
        turns = turns[turn...].filter { lines[$0] != nil }
        turn = 0
        count -= removed.count
        self.weight -= removed.reduce(0) { $0 + weight($1) }
        return removed
    }
}
