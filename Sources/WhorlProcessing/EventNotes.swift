import WhorlProtocol

/// The notes of an event as text, for the row and the spool.
///
/// Only what was done before the payload was written needs to be kept: everything else is found again when the stored
/// bytes are read.
public enum EventNotes {
    /// A JSON array of pairs of path and reason; nil when there is none.
    public static func text(_ notes: [EventNote]) -> String? {
        guard !notes.isEmpty else { return nil }
        return JSON.array(notes.map { .array([.string($0.path), .string($0.reason)]) }).text
    }

    /// The notes of such a text; what is not of that form is passed over.
    public static func parse(_ text: String?) -> [EventNote] {
        guard let text, let root = try? JSONDocument(Array(text.utf8)).root else { return [] }
        return root.elements.compactMap { pair in
            let parts = pair.elements.compactMap(\.string)
            return parts.count == 2 ? EventNote(parts[0], parts[1]) : nil
        }
    }
}
