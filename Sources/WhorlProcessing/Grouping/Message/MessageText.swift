import WhorlProtocol

/// Reduces a message to its first two lines that are not blank, and replaces variable values with placeholders.
enum MessageText {
    /// The maximum number of bytes that are read.
    private static let maxBytes = 8_192

    /// Removes the escape sequences for terminal colours.
    private static func withoutColours(_ text: String) -> String {
        guard text.utf8.contains(0x1B) else { return text }
        var result: [UInt8] = []
        var isEscape = false
        for byte in text.utf8 {
            if byte == 0x1B {
                isEscape = true
            } else if isEscape {
                if (byte | 0x20) &- UInt8(ascii: "a") < 26 { isEscape = false }
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

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
        return ValueScanner.replaced(withoutColours(lines.joined(separator: "\n")))
    }
}
