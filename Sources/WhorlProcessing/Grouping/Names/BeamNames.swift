/// Cleans names of Elixir and Erlang, where anonymous functions are numbered in source order.
enum BeamNames {
    /// The function and its arity, for names such as `anonymous fn/2 in Shop.total/1`, `-total/1-fun-0-` or
    /// `Shop.total/1`.
    static func function(_ name: String) -> String {
        var text = name[...]
        while let first = text.first, first == "\"" || first == "'" { text = text.dropFirst() }
        while let last = text.last, last == "\"" || last == "'" { text = text.dropLast() }
        var isAnonymous = false
        // Roster.Importer."-parse_all/1-lc$^0/1-0-"/1 is the comprehension in Roster.Importer.parse_all/1.
        if let quote = text.firstRange(of: "\"-"), let end = text[quote.upperBound...].firstIndex(of: "\"") {
            let inner = text[quote.upperBound..<end]
            let name = inner.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: true).first ?? inner
            let around = text[..<quote.lowerBound]
            let place = (around.hasPrefix("Elixir.") ? String(around.dropFirst(7)) : String(around)) + name
            return "fn in \(place)"
        }
        if text.hasPrefix("anonymous fn"), let place = text.firstRange(of: " in ") {
            isAnonymous = true
            text = text[place.upperBound...]
        }
        if text.hasPrefix("-"), let place = text.dropFirst().firstRange(of: "-fun-") {
            isAnonymous = true
            text = text.dropFirst()[..<place.lowerBound]
        } else if text.hasPrefix("-"), let place = text.dropFirst().ranges(of: "/").first {
            // Inlined functions, -inlined-name/1-, and comprehensions, -total/1-lc$^0/1-0-.
            let start = text.hasPrefix("-inlined-") ? text.dropFirst(9) : text.dropFirst()
            if let end = start[start.index(start.startIndex, offsetBy: 0)...].firstRange(of: "-"),
                end.lowerBound > place.lowerBound
            {
                text = start[..<end.lowerBound]
            } else {
                text = start
            }
        }
        if text.hasPrefix("Elixir.") { text = text.dropFirst(7) }
        return isAnonymous ? "fn in \(text)" : String(text)
    }
}
