import WhorlProtocol

/// The custom grouping rules: fingerprint rules for events, and stack-trace rules for frames.
///
/// Each line contains one rule. Empty lines and lines that start with `#` are ignored.
/// The first matching fingerprint rule applies. All matching stack-trace rules apply, in order.
///
///     error.type:DatabaseUnavailable -> database-down title="Database down"
///     message:"card * refused" tags.shop:eu-* -> {{ default }}, cards
///     stack.function:retry_* -group
///     stack.path:**/generated/** -app
///     stack.module:shop.middleware.* v-group
///     max-frames=10
public struct GroupingRules: Sendable, Equatable {
    /// The maximum length of one text of rules in bytes.
    public static let maxBytes = 64 << 10
    /// The maximum number of rules in one text.
    public static let maxRules = 200

    let fingerprint: [FingerprintRule]
    let stack: StackRules?

    /// No rules.
    public static let none = GroupingRules(fingerprint: [], stack: nil)

    /// A syntax error in a text of rules.
    public struct SyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
        /// The line number, starting at 1; 0 for the whole text.
        public let line: Int
        /// The reason, for the author of the rules.
        public let reason: String

        /// The reason with the line number.
        public var description: String { line == 0 ? reason : "line \(line): \(reason)" }
    }

    init(fingerprint: [FingerprintRule], stack: StackRules?) {
        self.fingerprint = fingerprint
        self.stack = stack
    }

    /// Parses the texts of fingerprint rules and of stack-trace rules.
    public init(fingerprints: String = "", stacks: String = "") throws(SyntaxError) {
        var fingerprint: [FingerprintRule] = []
        for (number, line) in try Self.lines(fingerprints) {
            do {
                fingerprint.append(try FingerprintRule(line))
            } catch {
                throw SyntaxError(line: number, reason: error.reason)
            }
        }
        var stack = StackRules()
        for (number, line) in try Self.lines(stacks) {
            do {
                try stack.add(line)
            } catch {
                throw SyntaxError(line: number, reason: error.reason)
            }
        }
        self.init(fingerprint: fingerprint, stack: stack.isEmpty ? nil : stack)
    }

    /// Returns these rules followed by other rules.
    public func followed(by others: GroupingRules) -> GroupingRules {
        GroupingRules(
            fingerprint: fingerprint + others.fingerprint,
            stack: stack.map { $0.followed(by: others.stack) } ?? others.stack
        )
    }

    private static func lines(_ text: String) throws(SyntaxError) -> [(Int, String)] {
        guard text.utf8.count <= maxBytes else {
            throw SyntaxError(line: 0, reason: "the rules have more than \(maxBytes / 1_024) KiB")
        }
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
            .map { ($0.offset + 1, String($0.element).trimmingBlanks()) }
            .filter { !$0.1.isEmpty && !$0.1.hasPrefix("#") }
        guard lines.count <= maxRules else {
            throw SyntaxError(line: lines[maxRules].0, reason: "there are more than \(maxRules) rules")
        }
        return lines
    }
}

/// A syntax error in one rule.
struct RuleError: Error {
    let reason: String
}

/// The words of a rule, separated by spaces or tabs; quoted text may contain spaces.
struct RuleWords {
    private(set) var words: [String] = []

    init(_ line: String) throws(RuleError) {
        var word = ""
        var isQuoted = false
        var isEscaped = false
        for character in line {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\", isQuoted {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == " " || character == "\t", !isQuoted {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        guard !isQuoted else { throw RuleError(reason: "a quote is not closed") }
        if !word.isEmpty { words.append(word) }
    }
}
