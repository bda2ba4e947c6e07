import DequeModule

/// A queue that serves its keys in turn, so that a key with many elements does not delay the others.
///
/// The elements of one key stay in order of arrival.
struct FairQueue<Key: Hashable & Sendable, Element: Sendable>: Sendable {
    private struct Entry {
        let element: Element
        let weight: Int
    }

    private struct Line {
        var entries: Deque<Entry> = []
        var weight = 0
    }

    private var lines: [Key: Line] = [:]
    /// The keys with waiting elements, each once, in the order in which they are served.
    private var turns: Deque<Key> = []
    /// The number of elements of all keys.
    private(set) var count = 0
    /// The total weight of all elements, such as their size in bytes.
    private(set) var weight = 0

    var isEmpty: Bool { count == 0 }

    /// The number of elements of a key, and their weight.
    func load(of key: Key) -> (count: Int, weight: Int) {
        lines[key].map { ($0.entries.count, $0.weight) } ?? (0, 0)
    }

    mutating func append(_ element: Element, of key: Key, weight: Int) {
        if lines[key] == nil { turns.append(key) }
        lines[key, default: Line()].entries.append(Entry(element: element, weight: weight))
        lines[key]?.weight += weight
        count += 1
        self.weight += weight
    }

    /// Removes and returns the next element.
    mutating func popFirst() -> Element? {
        guard let key = turns.popFirst(), var line = lines.removeValue(forKey: key),
            let entry = line.entries.popFirst()
        else { return nil }
        count -= 1
        line.weight -= entry.weight
        weight -= entry.weight
        if !line.entries.isEmpty {
            lines[key] = line
            turns.append(key)
        }
        return entry.element
    }

    /// The first element of each key.
    var heads: some Sequence<Element> { lines.values.lazy.compactMap { $0.entries.first?.element } }

    /// Removes and returns all elements that satisfy the condition, key by key.
    mutating func removeAll(where condition: (Element) -> Bool) -> [Element] {
        var removed: [Entry] = []
        for (key, line) in lines {
            let kept = line.entries.filter { !condition($0.element) }
            guard kept.count < line.entries.count else { continue }
            removed += line.entries.filter { condition($0.element) }
            lines[key] = kept.isEmpty ? nil : Line(entries: Deque(kept), weight: kept.reduce(0) { $0 + $1.weight })
        }
        turns.removeAll { lines[$0] == nil }
        count -= removed.count
        weight -= removed.reduce(0) { $0 + $1.weight }
        return removed.map(\.element)
    }
}
