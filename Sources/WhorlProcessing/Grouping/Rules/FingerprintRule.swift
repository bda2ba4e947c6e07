import WhorlProtocol

/// A rule `matchers -> parts title="…"` that sets the fingerprint, and optionally the title, of events that match.
struct FingerprintRule: Sendable, Equatable {
    let text: String
    let matchers: [RuleMatcher]
    let fingerprint: [String]
    let title: String?

    init(_ line: String) throws(RuleError) {
        guard let arrow = line.firstRange(of: "->") else {
            throw RuleError(reason: "a fingerprint rule has the form `matchers -> fingerprint`")
        }
        text = line
        var matchers: [RuleMatcher] = []
        for word in try RuleWords(String(line[..<arrow.lowerBound])).words {
            guard let matcher = try RuleMatcher(word) else {
                throw RuleError(reason: "\(word) is not a condition; a condition has the form NAME:PATTERN")
            }
            matchers.append(matcher)
        }
        guard (1...20).contains(matchers.count) else { throw RuleError(reason: "a rule needs 1 to 20 conditions") }
        self.matchers = matchers
        var rest = String(line[arrow.upperBound...])
        if let mark = rest.ranges(of: "title=").last {
            title = try RuleWords(String(rest[mark.upperBound...])).words.joined(separator: " ").prefix(bytes: 256)
            rest = String(rest[..<mark.lowerBound])
        } else {
            title = nil
        }
        // Commas separate the parts; whitespace around a part is removed.
        fingerprint = rest.split(separator: ",")
            .map { String($0).trimmingBlanks().trimmingQuotes() }.filter { !$0.isEmpty }
        guard (1...20).contains(fingerprint.count) else {
            throw RuleError(reason: "a fingerprint needs 1 to 20 parts")
        }
    }

    /// Whether the event matches all conditions; always false after the meter has exceeded its limit.
    func matches(_ event: Event, _ meter: RuleMeter) -> Bool {
        guard !meter.isExceeded else { return false }
        let isMatch = matchers.allSatisfy { $0.matches(event, meter) }
        return !meter.isOver(after: text) && isMatch
    }
}

extension String {
    fileprivate func trimmingQuotes() -> String {
        count >= 2 && hasPrefix("\"") && hasSuffix("\"") ? String(dropFirst().dropLast()) : self
    }
}
