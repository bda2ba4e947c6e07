/// Calls that repeat count once, whether a function calls itself or several call each other: how deep a recursion went says
/// nothing of what broke.
enum RecursionRule {
    /// The longest cycle that is looked for.
    private static let longestCycle = 8

    /// The places whose frames repeat the ones before, of frames by their keys; linear in their number.
    static func repeated(_ keys: [(place: Int, key: String)]) -> Set<Int> {
        var kept: [(place: Int, key: String)] = []
        var repeated: Set<Int> = []
        for entry in keys {
            kept.append(entry)
            for length in 1...longestCycle where kept.count >= 2 * length {
                let end = kept.count
                let isCycle = (0..<length).allSatisfy { kept[end - 1 - $0].key == kept[end - 1 - length - $0].key }
                if isCycle {
                    for entry in kept.suffix(length) { repeated.insert(entry.place) }
                    kept.removeLast(length)
                    break
                }
            }
        }
        return repeated
    }
}
