/// Calls that repeat count once, whether a function calls itself or several call each other: how deep a recursion went, and
/// where in the circle it was cut off, says nothing of what broke.
enum RecursionRule {
    /// The longest circle that is looked for.
    private static let longest = 8
    /// So many rounds look like a stack that overflowed, which is cut off anywhere.
    private static let overflow = 10
    /// The places whose frames repeat the ones before, of frames by their keys; linear in their number.
    static func repeated(_ keys: [(place: Int, key: String)]) -> Set<Int> {
        var kept: [(place: Int, key: String)] = []
        var repeated: Set<Int> = []
        // Where a circle that is kept once ends, how long it is, and how often it came.
        var circle: (end: Int, length: Int, rounds: Int)?
        func cutEnds() {
            guard let found = circle, found.rounds >= overflow else { return }
            let start = found.end - found.length
            // What follows it and is its beginning, and what leads to it and is its end.
            var after = 0
            while found.end + after < kept.count, after < found.length,
                kept[found.end + after].key == kept[start + after].key
            { after += 1 }
            var before = 0
            while start - before > 0, before < found.length - 1,
                kept[start - 1 - before].key == kept[found.end - 1 - before].key
            { before += 1 }
            for entry in kept[found.end..<found.end + after] { repeated.insert(entry.place) }
            for entry in kept[(start - before)..<start] { repeated.insert(entry.place) }
            kept.removeSubrange(found.end..<found.end + after)
            kept.removeSubrange((start - before)..<start)
            circle = nil
        }
        for entry in keys {
            kept.append(entry)
            for length in 1...longest where kept.count >= 2 * length {
                let end = kept.count
                let isRepeated = (0..<length).allSatisfy { kept[end - 1 - $0].key == kept[end - 1 - length - $0].key }
                guard isRepeated else { continue }
                for entry in kept.suffix(length) { repeated.insert(entry.place) }
                kept.removeLast(length)
                let isSame = circle.map { $0.end == kept.count && $0.length == length } ?? false
                circle = (kept.count, length, isSame ? (circle?.rounds ?? 1) + 1 : 2)
                break
            }
            // A circle is over when more follows than it is long.
            if let found = circle, kept.count > found.end + found.length { cutEnds() }
        }
        cutEnds()
        return repeated
    }
}
