import WhorlProtocol

/// Encodes and parses the notes of an event, for the database row and the spool.
///
/// Only the notes about changes before the payload was stored need to be kept: all others are created again when the
/// stored bytes are parsed.
public enum EventNotes {
    /// The notes as a JSON array of pairs of path and reason; nil when there are no notes.
    public static func text(_ notes: [EventNote]) -> String? {
        guard !notes.isEmpty else { return nil }
        return JSON.array(notes.map { .array([.string($0.path), .string($0.reason)]) }).text
    }

    /// Parses the notes of a text; elements in another form are ignored.
    public static func parse(_ text: String?) -> [EventNote] {
        guard let text, let root = try? JSONDocument(Array(text.utf8)).root else { return [] }
        return root.elements.compactMap { pair in
            let parts = pair.elements.compactMap(\.string)
            return parts.count == 2 ? EventNote(parts[0], parts[1]) : nil
        }
    }
}
