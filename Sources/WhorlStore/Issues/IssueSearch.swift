import Foundation
import WhorlPostgres
import WhorlProtocol

/// Turns a ``SearchQuery`` into conditions in SQL.
///
/// Conditions on events (tags, release, environment, level) hold for an issue when one and the same event meets them all;
/// conditions on the issue (status, counts, times) hold for the issue itself.
struct IssueSearch {
    /// Conditions on `i`, the issue, each led by ` AND `.
    private(set) var issue = SQLFragment()
    /// Conditions on `e`, an event of the issue, each led by ` AND `.
    private(set) var event = SQLFragment()
    /// Environments that the query names, in addition to those of the request.
    private(set) var environments: [String] = []
    private let now: Date

    init(_ query: SearchQuery, now: Date) throws(SearchQuery.SyntaxError) {
        self.now = now
        for term in query.terms { try add(term) }
        if let phrase = query.phrase {
            let pattern = "%" + escaped(phrase) + "%"
            issue.append(" AND (i.title ILIKE ")
            issue.bind(pattern)
            issue.append(" OR i.culprit ILIKE ")
            issue.bind(pattern)
            issue.append(")")
        }
    }

    private mutating func add(_ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        switch term.key {
        case "is": try addStatus(term)
        case "has": addPresence(term)
        case "level": addLevel(term)
        case "release":
            addEvent(term) { fragment, value in
                fragment.append("r.version ")
                Self.match(value, &fragment)
            } absent: {
                $0.append("e.release_id IS NULL")
            }
        case "environment":
            if !term.isNegated { environments += term.values }
            addEvent(term) { fragment, value in
                fragment.append("v.name ")
                Self.match(value, &fragment)
            } absent: {
                $0.append("v.name = ''")
            }
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
            issue.append(" AND i.is_unhandled = ")
            issue.bind((wanted == (term.key == "error.unhandled")) != term.isNegated)
        default:
            let key = term.key.hasPrefix("tags.") ? String(term.key.dropFirst(5)) : Self.tagKey(term.key)
            addTag(key, term)
        }
    }

    /// Fields that we keep as tags under another name.
    private static func tagKey(_ key: String) -> String {
        switch key {
        case "user.id", "user.email", "user.username", "user.ip": "user"
        case "error.mechanism": "mechanism"
        case "os.name", "browser.name", "runtime.name": key
        default: key
        }
    }

    private mutating func addStatus(_ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        var allowed = SQLFragment()
        for (index, word) in term.values.enumerated() {
            if index > 0 { allowed.append(" OR ") }
            switch word {
            case "unresolved", "resolved", "ignored", "archived", "muted":
                allowed.append("i.status = ")
                allowed.bind(IssueStatus(name: word)?.rawValue ?? 0)
            case "new", "ongoing", "regressed", "escalating":
                allowed.append("i.substatus = ")
                allowed.bind(word)
            case "unassigned": allowed.append("true")
            case "assigned", "linked": allowed.append("false")
            case "unlinked": allowed.append("true")
            case "for_review", "needs_review": allowed.append("i.substatus IN ('new', 'regressed')")
            default: throw SearchQuery.SyntaxError(detail: "Invalid value \"\(word.prefix(60))\" for is:.")
            }
        }
        issue.append(term.isNegated ? " AND NOT (" : " AND (")
        issue.append(allowed)
        issue.append(")")
    }

    private mutating func addPresence(_ term: SearchQuery.Term) {
        for key in term.values {
            event.append(term.isNegated ? " AND NOT " : " AND ")
            switch key {
            case "release": event.append("(e.release_id IS NOT NULL)")
            case "environment": event.append("(v.name <> '')")
            default:
                event.append("EXISTS (SELECT FROM unnest(e.tags) AS t WHERE starts_with(t, ")
                event.bind(Self.tagKey(key) + "=")
                event.append("))")
            }
        }
    }

    private mutating func addLevel(_ term: SearchQuery.Term) {
        let numbers = term.values.map { Int16(Level(name: $0)?.number ?? -1) }
        event.append(term.isNegated ? " AND NOT e.level = ANY (" : " AND e.level = ANY (")
        event.bind(.array(of: numbers))
        event.append(")")
    }

    private mutating func addTag(_ key: String, _ term: SearchQuery.Term) {
        addEvent(term) { fragment, value in
            if value.contains("*") || key == "user" && !value.contains(":") {
                // A user is kept as `id:…`, `email:…`; people search for what stands behind the colon.
                let prefix = key == "user" && !value.contains(":") ? "*:" : ""
                fragment.append("EXISTS (SELECT FROM unnest(e.tags) AS t WHERE t ")
                Self.match("\(key)=" + prefix + value, &fragment)
                fragment.append(")")
            } else {
                fragment.append("e.tags @> ARRAY[")
                fragment.bind("\(key)=\(value)")
                fragment.append("]")
            }
        } absent: { fragment in
            fragment.append("NOT EXISTS (SELECT FROM unnest(e.tags) AS t WHERE starts_with(t, ")
            fragment.bind("\(key)=")
            fragment.append("))")
        }
    }

    private mutating func addEvent(
        _ term: SearchQuery.Term,
        _ condition: (inout SQLFragment, String) -> Void,
        absent: (inout SQLFragment) -> Void
    ) {
        event.append(term.isNegated ? " AND NOT coalesce(" : " AND coalesce(")
        for (index, value) in term.values.enumerated() {
            if index > 0 { event.append(" OR ") }
            if value.isEmpty { absent(&event) } else { condition(&event, value) }
        }
        event.append(", false)")
    }

    private mutating func addText(_ column: StaticString, _ term: SearchQuery.Term) {
        issue.append(term.isNegated ? " AND NOT coalesce(" : " AND coalesce(")
        for (index, value) in term.values.enumerated() {
            if index > 0 { issue.append(" OR ") }
            issue.append(column)
            issue.append(" ")
            Self.match(value, &issue)
        }
        issue.append(", false)")
    }

    /// `= value`, or `LIKE` where the value holds a wildcard; `\*` is a star.
    private static func match(_ value: String, _ fragment: inout SQLFragment) {
        guard value.contains("*") else {
            fragment.append("= ")
            fragment.bind(value)
            return
        }
        let star = "\u{1}"
        let pattern = escaped(value.replacingOccurrences(of: "\\*", with: star))
            .replacingOccurrences(of: "*", with: "%")
        fragment.append("ILIKE ")
        fragment.bind(pattern.replacingOccurrences(of: star, with: "*"))
    }

    private mutating func addNumber(_ column: StaticString, _ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        for text in term.values {
            let (comparison, rest) = Self.comparison(text)
            let scale = rest.lowercased().last.flatMap { ["k": 1_000, "m": 1_000_000, "b": 1_000_000_000][$0] }
            let digits = scale == nil ? rest : String(rest.dropLast())
            guard let number = Int(digits), number.magnitude < 1_000_000_000 else {
                throw SearchQuery.SyntaxError(detail: "Invalid number \"\(text.prefix(40))\" for \(term.key).")
            }
            append(comparison ?? "=", column, (number * (scale ?? 1)).postgresValue, term.isNegated)
        }
    }

    /// `-24h` is newer than, `+7d` older than; `>2026-01-01` and its like compare; a day alone means that day.
    private mutating func addTime(_ column: StaticString, _ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        for text in term.values {
            if text.first == "-" || text.first == "+", let span = timeSpan(String(text.dropFirst())) {
                let moment = now.addingTimeInterval(-span)
                append(text.first == "-" ? ">=" : "<", column, moment.postgresValue, term.isNegated)
                continue
            }
            let (comparison, rest) = Self.comparison(text)
            guard let moment = Timestamp.parse(rest) else {
                throw SearchQuery.SyntaxError(detail: "Invalid date \"\(text.prefix(40))\" for \(term.key).")
            }
            if let comparison {
                append(comparison, column, moment.postgresValue, term.isNegated)
            } else {
                let isDay = rest.utf8.count == 10
                let from = isDay ? moment : moment.addingTimeInterval(-300)
                let to = isDay ? moment.addingTimeInterval(86_400) : moment.addingTimeInterval(300)
                issue.append(term.isNegated ? " AND NOT (" : " AND (")
                issue.append(column)
                issue.append(" >= ")
                issue.bind(from)
                issue.append(" AND ")
                issue.append(column)
                issue.append(" < ")
                issue.bind(to)
                issue.append(")")
            }
        }
    }

    private mutating func addShortID(_ term: SearchQuery.Term) throws(SearchQuery.SyntaxError) {
        for text in term.values {
            guard let id = ShortID(text) else {
                throw SearchQuery.SyntaxError(detail: "Invalid short id \"\(text.prefix(60))\".")
            }
            issue.append(term.isNegated ? " AND NOT (p.slug = " : " AND (p.slug = ")
            issue.bind(id.project)
            issue.append(" AND i.short_id = ")
            issue.bind(id.number)
            issue.append(")")
        }
    }

    private mutating func append(
        _ comparison: StaticString,
        _ column: StaticString,
        _ value: PostgresValue,
        _ isNegated: Bool
    ) {
        issue.append(isNegated ? " AND NOT " : " AND ")
        issue.append(column)
        issue.append(" ")
        issue.append(comparison)
        issue.append(" ")
        issue.bind(value)
    }

    private static func comparison(_ text: String) -> (StaticString?, String) {
        for (sign, sql) in [(">=", ">="), ("<=", "<="), ("!=", "<>"), (">", ">"), ("<", "<"), ("=", "=")]
            as [(String, StaticString)] where text.hasPrefix(sign)
        {
            return (sql, String(text.dropFirst(sign.count)))
        }
        return (nil, text)
    }
}

/// Ten years in seconds: nothing is kept as long.
private let maxTimeSpan = 3_650 * 86_400

/// A span such as `24h` in seconds: s, m, h, d or w; nil when it is none.
package func timeSpan(_ text: String) -> TimeInterval? {
    guard let unit = text.last, let count = Int(text.dropLast()), (0...1_000_000_000).contains(count),
        let seconds = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800][unit],
        count * seconds <= maxTimeSpan
    else { return nil }
    return TimeInterval(count * seconds)
}

/// The text for a LIKE pattern, its own wildcards made literal.
private func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "%", with: "\\%")
        .replacingOccurrences(of: "_", with: "\\_")
}
