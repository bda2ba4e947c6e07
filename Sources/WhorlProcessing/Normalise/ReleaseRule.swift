import WhorlProtocol

/// Validates the release and the build (protocol facts, section 4).
enum ReleaseRule {
    private static let maxReleaseBytes = 250
    private static let maxDistBytes = 64

    static func release(_ text: String?, _ notes: inout NoteList) -> String? {
        guard let text else { return nil }
        let trimmed = text.trimmingBlanks()
        guard !trimmed.isEmpty, trimmed != ".", trimmed != "..", trimmed.utf8.count <= maxReleaseBytes,
            !trimmed.unicodeScalars.contains(where: { "\n\r\t\u{0C}/\\".unicodeScalars.contains($0) })
        else {
            notes.add("release", "invalid_data")
            return nil
        }
        return trimmed
    }

    static func dist(_ text: String?, _ notes: inout NoteList) -> String? {
        guard let text else { return nil }
        let trimmed = text.trimmingBlanks()
        guard !trimmed.isEmpty, trimmed.utf8.count <= maxDistBytes,
            trimmed.unicodeScalars.allSatisfy({
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "_.-".unicodeScalars.contains($0))
            })
        else {
            notes.add("dist", "invalid_data")
            return nil
        }
        return trimmed
    }
}

extension String {
    /// The text without leading and trailing whitespace.
    func trimmingBlanks() -> String {
        var view = self[...]
        while let first = view.first, first.isWhitespace { view = view.dropFirst() }
        while let last = view.last, last.isWhitespace { view = view.dropLast() }
        return String(view)
    }
}
