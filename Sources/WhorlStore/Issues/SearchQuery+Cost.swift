extension SearchQuery {
    /// The most expensive term as text, to suggest what to remove from a search that takes too long.
    ///
    /// Nil for a query whose terms need only the issues' own data.
    package var mostExpensiveTerm: String? {
        let written =
            terms.map { (cost: Self.cost($0), text: Self.text($0)) }
            + [phrase.map { (cost: 2, text: $0) }].compactMap(\.self)
        return written.filter { $0.cost > 0 }.max { $0.cost < $1.cost }?.text
    }

    /// Terms that need only the row of an issue or an index of it.
    private static let cheap: Set<String> = [
        "is", "level", "timesSeen", "firstSeen", "lastSeen", "age", "issue", "type", "platform",
    ]

    private static func cost(_ term: Term) -> Int {
        if cheap.contains(term.key) { return 0 }
        // These search an issue's events until one matches; a negated term searches all of them.
        let isWild = term.values.contains { $0.contains("*") }
        return 3 + (isWild ? 2 : 0) + (term.isNegated ? 1 : 0) + (term.key == "has" ? 1 : 0)
    }

    private static func text(_ term: Term) -> String {
        let values = term.values.count == 1 ? term.values[0] : "[" + term.values.joined(separator: ", ") + "]"
        return (term.isNegated ? "!" : "") + term.key + ":" + values
    }
}
