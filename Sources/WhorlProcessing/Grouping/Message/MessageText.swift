import WhorlProtocol

/// What of a message counts: its first two lines that are not blank, with what changes from event to event replaced.
enum MessageText {
    /// Later bytes are not looked at.
    private static let maxBytes = 8_192

    static func parameterised(_ message: String) -> String {
        var lines: [String] = []
        for line in message.prefix(bytes: maxBytes).split(whereSeparator: \.isNewline) {
            let trimmed = String(line).trimmingBlanks()
            if trimmed.isEmpty { continue }
            if lines.count == 2 {
                lines[1] += "..."
                break
            }
            lines.append(trimmed)
        }
        return ValueScanner.replaced(lines.joined(separator: "\n"))
    }
}
