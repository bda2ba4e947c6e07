import WhorlProtocol

/// Grouping by the message: the template, else the text, with values replaced with placeholders.
enum Version1MessageRule {
    static func component(_ event: Event) -> GroupingComponent? {
        guard let entry = event.message else { return nil }
        if let template = entry.message { return .value("message", parameterised(template)) }
        return .value("message", entry.formatted.map(parameterised))
    }

    /// The first two lines that are not blank, with variable values replaced.
    static func parameterised(_ message: String) -> String {
        var lines: [String] = []
        for line in message.prefix(bytes: 8_192).split(separator: "\n") {
            let trimmed = String(line).trimmingBlanks()
            if trimmed.isEmpty { continue }
            if lines.count == 2 {
                lines[1] += "..."
                break
            }
            lines.append(trimmed)
        }
        return Version1MessageScanner.replaced(lines.joined(separator: "\n"))
    }
}
