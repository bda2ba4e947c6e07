/// A queue in which senders take turns: who sends a thousand events at once does not make others wait for them.
///
/// Within a sender the order of arrival stays.
struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    private struct Entry {
        let element: Element
        let weight: Int
    }

    private struct Line {
        /// The entries from ``head`` on; those before it were taken.
        var entries: [Entry?] = []
        var head = 0
        var weight = 0

        var count: Int { entries.count - head }

        var waiting: [Entry] { entries[head...].compactMap(\.self) }

        mutating func popFirst() -> Entry? {
            defer {
                // What was taken must not stay in memory.
                entries[head] = nil
                head += 1
                // Taken entries go in large pieces, so that taking one costs the same however many wait.
                if head > 64, head * 2 > entries.count {
                    entries.removeFirst(head)
                    head = 0
                }
            }
            return entries[head]
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
        lines[key, default: Line()].entries.append(Entry(element: element, weight: weight))
        lines[key]?.weight += weight
        count += 1
        self.weight += weight
    }

    /// The next element by turns.
    mutating func popFirst() -> Element? {
        guard turn < turns.count else { return nil }
        let key = turns[turn]
        turn += 1
        guard var line = lines.removeValue(forKey: key), let entry = line.popFirst() else { return nil }
        count -= 1
        line.weight -= entry.weight
        weight -= entry.weight
        if line.count > 0 {
            lines[key] = line
            turns.append(key)
        }
        if turn > 64, turn * 2 > turns.count {
            turns.removeFirst(turn)
            turn = 0
        }
        return entry.element
    }

    /// The first element of each key.
    var heads: some Sequence<Element> { lines.values.lazy.compactMap { $0.entries[$0.head]?.element } }

    /// Takes out every element of which this holds, key by key.
    mutating func removeAll(where condition: (Element) -> Bool) -> [Element] {
        var removed: [Entry] = []
        for (key, line) in lines {
            let waiting = line.waiting
            let kept = waiting.filter { !condition($0.element) }
            guard kept.count < waiting.count else { continue }
            removed += waiting.filter { condition($0.element) }
            lines[key] = kept.isEmpty ? nil : Line(entries: kept, weight: kept.reduce(0) { $0 + $1.weight })
        }
        turns = turns[turn...].filter { lines[$0] != nil }
        turn = 0
        count -= removed.count
        weight -= removed.reduce(0) { $0 + $1.weight }
        return removed.map(\.element)
    }
}
