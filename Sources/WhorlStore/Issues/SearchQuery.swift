import Foundation
import WhorlProtocol

/// A parsed search query as a user typed it (protocol facts, section 7.5).
///
/// Terms are separated by blanks and all of them must hold. A term is `key:value`, `!key:value`, `key:"quoted"`,
/// `key:[a, b]`, `has:key` or `is:word`. The remaining words form one phrase, which is searched in title and culprit.
package struct SearchQuery: Sendable, Equatable {
    /// One condition.
    package struct Term: Sendable, Equatable {
        package let key: String
        /// Alternatives, of which at least one must match; `*` matches any sequence of characters.
        package let values: [String]
        package let isNegated: Bool
    }

    /// A syntax error in a query, with a message for the user who typed it.
    package struct SyntaxError: Error, Sendable, Equatable {
        package let detail: String
    }

    package private(set) var terms: [Term] = []
    /// The words that do not belong to a term.
    package private(set) var phrase: String?

    /// The maximum number of terms in a query, since each one adds an SQL condition.
    private static let maxTerms = 30
    private static let maxBytes = 4_096

    package init(_ text: String) throws(SyntaxError) {
        guard text.utf8.count <= Self.maxBytes else { throw SyntaxError(detail: "The query is too long.") }
        var scanner = Scanner(text: text)
        var words: [String] = []
        while let token = try scanner.next() {
            switch token {
            case .word(let word) where word.uppercased() == "AND": continue
            case .word(let word) where word.uppercased() == "OR":
                throw SyntaxError(detail: "OR is not supported in the search of issues.")
            case .word(let word), .quoted(let word): words.append(word)
            case .term(let term): terms.append(term)
            }
            guard terms.count <= Self.maxTerms else {
                throw SyntaxError(detail: "The query has more than \(Self.maxTerms) terms.")
            }
        }
        phrase = words.isEmpty ? nil : words.joined(separator: " ")
    }

    private enum Token {
        case word(String)
        case quoted(String)
        case term(Term)
    }

    private struct Scanner {
        private let text: [Character]
        private var at = 0

        init(text: String) { self.text = Array(text) }

        mutating func next() throws(SyntaxError) -> Token? {
            while at < text.count, text[at].isWhitespace { at += 1 }
            guard at < text.count else { return nil }
            if text[at] == "(" || text[at] == ")" {
                throw SyntaxError(detail: "Parentheses are not supported in the search of issues.")
            }
            if text[at] == "\"" { return .quoted(try quoted()) }
            let start = at
            let isNegated = text[at] == "!" && at + 1 < text.count && !text[at + 1].isWhitespace
            if isNegated { at += 1 }
            guard let key = key() else {
                at = start
                return .word(word())
            }
            let values = try values()
            return .term(Term(key: key, values: values, isNegated: isNegated))
        }

        /// Scans a key and its colon; returns nil when the text at this position is a plain word.
        private mutating func key() -> String? {
            var end = at
            var key = ""
            while end < text.count, !text[end].isWhitespace, text[end] != "\"" {
                if text[end] == ":" {
                    // `http://…` and `Foo::bar` are words.
                    if end + 1 < text.count, text[end + 1] == "/" || text[end + 1] == ":" { return nil }
                    guard !key.isEmpty else { return nil }
                    at = end + 1
                    return unwrapped(key)
                }
                key.append(text[end])
                end += 1
            }
            return nil
        }

        /// Converts `tags[key]` to the tag of that name, even when a field has the same name.
        private func unwrapped(_ key: String) -> String {
            key.hasPrefix("tags[") && key.hasSuffix("]") ? "tags." + key.dropFirst(5).dropLast() : key
        }

        private mutating func values() throws(SyntaxError) -> [String] {
            guard at < text.count, text[at] == "[" else { return [try value(stop: [])] }
            at += 1
            var values: [String] = []
            while true {
                while at < text.count, text[at].isWhitespace || text[at] == "," { at += 1 }
                guard at < text.count else { throw SyntaxError(detail: "A list in the query has no closing bracket.") }
                if text[at] == "]" {
                    at += 1
                    break
                }
                values.append(try value(stop: [",", "]"]))
                guard values.count <= 50 else { throw SyntaxError(detail: "A list in the query is too long.") }
            }
            guard !values.isEmpty else { throw SyntaxError(detail: "A list in the query is empty.") }
            return values
        }

        private mutating func value(stop: Set<Character>) throws(SyntaxError) -> String {
            if at < text.count, text[at] == "\"" { return try quoted() }
            return word(stop: stop)
        }

        private mutating func word(stop: Set<Character> = []) -> String {
            var word = ""
            while at < text.count, !text[at].isWhitespace, !stop.contains(text[at]) {
                word.append(text[at])
                at += 1
            }
            return word
        }

        private mutating func quoted() throws(SyntaxError) -> String {
            at += 1
            var result = ""
            while at < text.count {
                if text[at] == "\\", at + 1 < text.count, text[at + 1] == "\"" {
                    result.append("\"")
                    at += 2
                    continue
                }
                if text[at] == "\"" {
                    at += 1
                    return result
                }
                result.append(text[at])
                at += 1
            }
            throw SyntaxError(detail: "A quote in the query is not closed.")
        }
    }
}
