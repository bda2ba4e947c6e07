/// A place in a sorted list, by the value and the id of the row there: it stays right while rows arrive.
///
/// On the wire it has Sentry's three parts, `value:offset:is_prev`, with the key in the first.
package struct Cursor: Sendable, Equatable {
    /// The sort value of the row, as a whole number (microseconds, counts).
    package let value: Int
    /// The id that tells rows of the same value apart.
    package let id: Int
    /// Whether the page before the row is meant, rather than the one after it.
    package let isPrevious: Bool

    package init(value: Int, id: Int, isPrevious: Bool) {
        self.value = value
        self.id = id
        self.isPrevious = isPrevious
    }

    /// Nil for the start of the list; throws ``BadCursor`` when the text is no cursor.
    package static func parse(_ text: String?) throws -> Cursor? {
        guard let text, !text.isEmpty else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard text.utf8.count <= 100, parts.count == 3, parts[1] == "0", parts[2] == "0" || parts[2] == "1" else {
            throw BadCursor()
        }
        // `0:0:0` is how other programs write the start.
        if parts[0] == "0" { return nil }
        let key = parts[0].split(separator: "_", omittingEmptySubsequences: false)
        guard key.count == 2, let value = Int(key[0]), let id = Int(key[1]), id >= 0 else { throw BadCursor() }
        return Cursor(value: value, id: id, isPrevious: parts[2] == "1")
    }

    package var text: String { "\(value)_\(id):0:\(isPrevious ? 1 : 0)" }
}

/// A cursor that is none of ours.
package struct BadCursor: Error {}

/// One page of a list, and how to go on from it in both directions.
package struct Page<Element: Sendable>: Sendable {
    package let elements: [Element]
    /// The cursor of the page before; its rows may not exist, see ``hasPrevious``.
    package let previous: Cursor
    package let next: Cursor
    package let hasPrevious: Bool
    package let hasNext: Bool

    /// Makes the page of rows fetched with one more than the limit, in the direction of the cursor.
    ///
    /// The rows come in list order or, for a previous page, in reverse; `key` is what the list is sorted by.
    package init(_ fetched: [Element], limit: Int, cursor: Cursor?, key: (Element) -> (value: Int, id: Int)) {
        let backwards = cursor?.isPrevious ?? false
        let hasMore = fetched.count > limit
        var rows = Array(fetched.prefix(limit))
        if backwards { rows.reverse() }
        elements = rows
        let start: (value: Int, id: Int) = cursor.map { ($0.value, $0.id) } ?? (0, 0)
        let first = rows.first.map(key) ?? start
        let last = rows.last.map(key) ?? start
        previous = Cursor(value: first.value, id: first.id, isPrevious: true)
        next = Cursor(value: last.value, id: last.id, isPrevious: false)
        hasPrevious = backwards ? hasMore : cursor != nil
        hasNext = backwards ? cursor != nil : hasMore
    }
}
