import WhorlProtocol

/// `matchers -> parts title="…"`: the fingerprint, and perhaps the title, of events that match all of them.
struct FingerprintRule: Sendable, Equatable {
    let text: String
    let matchers: [RuleMatcher]
    let fingerprint: [String]
    let title: String?

    init(_ line: String) throws(RuleFault) {
        guard let arrow = line.firstRange(of: "->") else {
            throw RuleFault(reason: "a fingerprint rule is `matchers -> fingerprint`")
        }
        text = line
        var matchers: [RuleMatcher] = []
        for word in try RuleWords(String(line[..<arrow.lowerBound])).words {
            guard let matcher = try RuleMatcher(word) else {
                throw RuleFault(reason: "\(word) is no condition: write NAME:PATTERN")
            }
            matchers.append(matcher)
        }
        guard (1...20).contains(matchers.count) else { throw RuleFault(reason: "a rule needs 1 to 20 conditions") }
        self.matchers = matchers
        var rest = String(line[arrow.upperBound...])
        if let mark = rest.ranges(of: "title=").last {
            title = try RuleWords(String(rest[mark.upperBound...])).words.joined(separator: " ").prefix(bytes: 256)
            rest = String(rest[..<mark.lowerBound])
        } else {
            title = nil
        }
        // Parts are separated by commas; blanks around them do not count.
        fingerprint = rest.split(separator: ",")
            .map { String($0).trimmingBlanks().trimmingQuotes() }.filter { !$0.isEmpty }
        guard (1...20).contains(fingerprint.count) else {
            throw RuleFault(reason: "a rule needs 1 to 20 parts of a fingerprint")
        }
    }

    /// Whether the event matches; false for every rule once the meter is over its bound.
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
