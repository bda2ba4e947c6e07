import WhorlProtocol

/// Validates the environment; if it is absent, the tag `environment` is used (protocol facts, section 4).
enum EnvironmentRule {
    private static let maxBytes = 64

    static func environment(_ text: String?, _ tags: inout [Event.Tag], _ notes: inout NoteList) -> String? {
        let tag = tags.first { $0.key == "environment" }?.value
        tags.removeAll { $0.key == "environment" }
        guard let text = text ?? tag else { return nil }
        let trimmed = text.trimmingBlanks()
        if trimmed.isEmpty { return nil }
        guard trimmed.utf8.count <= maxBytes, trimmed != "none",
            !trimmed.unicodeScalars.contains(where: { "\n\r\t\u{0C}/".unicodeScalars.contains($0) })
        else {
            notes.add("environment", "invalid_data")
            return nil
        }
        return trimmed
    }
}
