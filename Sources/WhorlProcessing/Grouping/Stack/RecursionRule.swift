/// Finds repeated frames of direct and mutual recursion, which contribute only once.
///
/// The depth of a recursion, and the position in the cycle where the stack ends, do not identify the fault.
enum RecursionRule {
    /// The maximum length of a cycle in frames.
    private static let longest = 8
    /// The number of repetitions that indicates a stack overflow, where the stack may start and end at any frame of a
    /// cycle.
    private static let overflow = 10
    /// The positions of the frames that repeat earlier frames; takes linear time in the number of frames.
    static func repeated(_ keys: [(place: Int, key: String)]) -> Set<Int> {
        var kept: [(place: Int, key: String)] = []
        var repeated: Set<Int> = []
        // The cycle that is kept once: its end, its length, and the number of repetitions.
        var circle: (end: Int, length: Int, rounds: Int)?
        func removePartialCycles() {
            guard let found = circle, found.rounds >= overflow else { return }
            let start = found.end - found.length
            // The incomplete repetitions of the cycle after it and before it.
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
            // The cycle has ended when more frames follow than its length.
            if let found = circle, kept.count > found.end + found.length { removePartialCycles() }
        }
        removePartialCycles()
        return repeated
    }
}
