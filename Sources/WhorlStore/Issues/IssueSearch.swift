import Foundation
import WhorlPostgres
import WhorlProtocol

/// Translates a ``SearchQuery`` into SQL conditions.
///
/// Conditions on events (tags, release, environment, level) hold for an issue when a single event meets all of them.
/// Conditions on the issue (status, counts, times) hold for the issue itself.
struct IssueSearch {
    /// Conditions on `i`, the issue, each with the prefix ` AND `.
    private(set) var issue = SQLFragment()
    /// Conditions on `e`, an event of the issue, each with the prefix ` AND `.
    private(set) var event = SQLFragment()
    /// Environments that the query names, in addition to those of the request.
    private(set) var environments: [String] = []
    private let now: Date

    init(_ query: SearchQuery, now: Date) throws(SearchQuery.SyntaxError) {
        self.now = now
        for term in query.terms { try add(term) }
        if let phrase = query.phrase {
            let pattern = "%" + escaped(phrase) + "%"
            issue += " AND (i.title ILIKE \(pattern) OR i.culprit ILIKE \(pattern))"
        }
    }

    private mutating func add(_ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        switch term.key {
        case "is": try addStatus(term)
        case "has": addPresence(term)
        case "level": addLevel(term)
        case "release":
            addEvent(term, absent: "e.release_id IS NULL") { "r.version \(Self.match($0))" }
        case "environment":
            if !term.isNegated { environments += term.values }
            addEvent(term, absent: "v.name = ''") { "v.name \(Self.match($0))" }
        case "title", "message": addText("i.title", term)
        case "culprit", "transaction": addText("i.culprit", term)
        case "location": addText("i.location", term)
        case "platform", "platform.name": addText("i.platform", term)
        case "logger": addText("i.logger", term)
        case "timesSeen": try addNumber("i.event_count", term)
        case "firstSeen", "age": try addTime("i.first_seen", term)
        case "lastSeen": try addTime("i.last_seen", term)
        case "issue": try addShortID(term)
        case "project", "project.name": addText("p.slug", term)
        case "error.unhandled", "error.handled":
            let wanted = ["1", "true", "yes"].contains(term.values.first?.lowercased() ?? "")
            issue += " AND i.is_unhandled = \((wanted == (term.key == "error.unhandled")) != term.isNegated)"
        default:
            let key = term.key.hasPrefix("tags.") ? String(term.key.dropFirst(5)) : Self.tagKey(term.key)
            addTag(key, term)
        }
    }

    /// The tag that stores a search field.
    private static func tagKey(_ key: String) -> String {
        switch key {
        case "user.id", "user.email", "user.username", "user.ip": "user"
        case "error.mechanism": "mechanism"
        case "os.name", "browser.name", "runtime.name": key
        default: key
        }
    }

    /// Adds a condition on the issue.
    private mutating func require(_ condition: SQLFragment, _ isNegated: Bool) {
        issue += isNegated ? " AND NOT (\(condition))" : " AND (\(condition))"
    }

    private mutating func addStatus(_ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        var allowed: [SQLFragment] = []
        for word in term.values {
            switch word {
            case "unresolved", "resolved", "ignored", "archived", "muted":
                allowed.append("i.status = \(IssueStatus(name: word)?.rawValue ?? 0)")
            case "new", "ongoing", "regressed", "escalating": allowed.append("i.substatus = \(word)")
            case "unassigned", "unlinked": allowed.append("true")
            case "assigned", "linked": allowed.append("false")
            case "for_review", "needs_review": allowed.append("i.substatus IN ('new', 'regressed')")
            default: throw SearchQuery.SyntaxError(detail: "Invalid value \"\(word.prefix(60))\" for is:.")
            }
        }
        require(allowed.joined(separator: " OR "), term.isNegated)
    }

    private mutating func addPresence(_ term: SearchQuery.Term) {
        for key in term.values {
            let condition: SQLFragment =
                switch key {
                case "release": "(e.release_id IS NOT NULL)"
                case "environment": "(v.name <> '')"
                default: Self.hasTag(Self.tagKey(key))
                }
            event += term.isNegated ? " AND NOT \(condition)" : " AND \(condition)"
        }
    }

    private static func hasTag(_ key: String) -> SQLFragment {
        "EXISTS (SELECT FROM unnest(e.tags) AS t WHERE starts_with(t, \(key + "=")))"
    }

    private mutating func addLevel(_ term: SearchQuery.Term) {
        let numbers = PostgresValue.array(of: term.values.map { Int16(Level(name: $0)?.number ?? -1) })
        event += term.isNegated ? " AND NOT e.level = ANY (\(numbers))" : " AND e.level = ANY (\(numbers))"
    }

    private mutating func addTag(_ key: String, _ term: SearchQuery.Term) {
        addEvent(term, absent: "NOT \(Self.hasTag(key))") { value in
            guard value.contains("*") || key == "user" && !value.contains(":") else {
                return "e.tags @> ARRAY[\("\(key)=\(value)")]"
            }
            // The user tag has the form `id:…` or `email:…`; people search for the part after the colon.
            let prefix = key == "user" && !value.contains(":") ? "*:" : ""
            return "EXISTS (SELECT FROM unnest(e.tags) AS t WHERE t \(Self.match("\(key)=" + prefix + value)))"
        }
    }

    /// Adds a condition on an event; an empty value matches events without the property.
    private mutating func addEvent(
        _ term: SearchQuery.Term,
        absent: SQLFragment,
        _ condition: (String) -> SQLFragment
    ) {
        let any = term.values.map { $0.isEmpty ? absent : condition($0) }.joined(separator: " OR ")
        event += term.isNegated ? " AND NOT coalesce(\(any), false)" : " AND coalesce(\(any), false)"
    }

    private mutating func addText(_ column: SQLFragment, _ term: SearchQuery.Term) {
        let any = term.values.map { "\(column) \(Self.match($0))" as SQLFragment }.joined(separator: " OR ")
        issue += term.isNegated ? " AND NOT coalesce(\(any), false)" : " AND coalesce(\(any), false)"
    }

    /// `= value`, or `ILIKE` when the value contains a wildcard; `\*` matches a literal asterisk.
    private static func match(_ value: String) -> SQLFragment {
        guard value.contains("*") else { return "= \(value)" }
        let star = "\u{1}"
        let pattern = escaped(value.replacingOccurrences(of: "\\*", with: star))
            .replacingOccurrences(of: "*", with: "%")
        return "ILIKE \(pattern.replacingOccurrences(of: star, with: "*"))"
    }

    private mutating func addNumber(_ column: SQLFragment, _ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        for text in term.values {
            let (comparison, rest) = Self.comparison(text)
            let scale = rest.lowercased().last.flatMap { ["k": 1_000, "m": 1_000_000, "b": 1_000_000_000][$0] }
            let digits = scale == nil ? rest : String(rest.dropLast())
            guard let number = Int(digits), number.magnitude < 1_000_000_000 else {
                throw SearchQuery.SyntaxError(detail: "Invalid number \"\(text.prefix(40))\" for \(term.key).")
            }
            require("\(column) \(comparison ?? "=") \(number * (scale ?? 1))", term.isNegated)
        }
    }

    /// Adds a time condition: `-24h` means newer than, `+7d` older than, and `>2026-01-01` compares; a date alone means
    /// that day.
    private mutating func addTime(_ column: SQLFragment, _ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        for text in term.values {
            if text.first == "-" || text.first == "+", let span = timeSpan(String(text.dropFirst())) {
                let moment = now.addingTimeInterval(-span)
                require(
                    text.first == "-" ? "\(column) >= \(moment)" : "\(column) < \(moment)",
                    term.isNegated
                )
                continue
            }
            let (comparison, rest) = Self.comparison(text)
            guard let moment = Timestamp.parse(rest) else {
                throw SearchQuery.SyntaxError(detail: "Invalid date \"\(text.prefix(40))\" for \(term.key).")
            }
            if let comparison {
                require("\(column) \(comparison) \(moment)", term.isNegated)
            } else {
                let isDay = rest.utf8.count == 10
                let from = isDay ? moment : moment.addingTimeInterval(-300)
                let to = isDay ? moment.addingTimeInterval(86_400) : moment.addingTimeInterval(300)
                require("\(column) >= \(from) AND \(column) < \(to)", term.isNegated)
            }
        }
    }

    private mutating func addShortID(_ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        for text in term.values {
            guard let id = ShortID(text) else {
                throw SearchQuery.SyntaxError(detail: "Invalid short id \"\(text.prefix(60))\".")
            }
            require("p.slug = \(id.project) AND i.short_id = \(id.number)", term.isNegated)
        }
    }

    private static func comparison(_ text: String) -> (SQLFragment?, String) {
        for (sign, sql) in [(">=", ">="), ("<=", "<="), ("!=", "<>"), (">", ">"), ("<", "<"), ("=", "=")]
            as [(String, SQLFragment)] where text.hasPrefix(sign)
        {
            return (sql, String(text.dropFirst(sign.count)))
        }
        return (nil, text)
    }
}

/// Ten years in seconds, longer than any data is kept.
private let maxTimeSpan = 3_650 * 86_400

/// Parses a span such as `24h` (s, m, h, d or w) into seconds; returns nil when the text is not a span.
package func timeSpan(_ text: String) -> TimeInterval? {
    guard let unit = text.last, let count = Int(text.dropLast()), (0...1_000_000_000).contains(count),
        let seconds = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800][unit],
        count * seconds <= maxTimeSpan
    else { return nil }
    return TimeInterval(count * seconds)
}

/// Escapes the wildcards of a text for a LIKE pattern.
private func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "%", with: "\\%")
        .replacingOccurrences(of: "_", with: "\\_")
}
