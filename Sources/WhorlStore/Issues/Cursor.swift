/// A position in a sorted list, given by a row's sort value and id, so that it stays valid while rows are inserted.
///
/// In URLs it has the three parts of a Sentry cursor, `value:offset:is_prev`. The first part contains both the sort
/// value and the id.
package struct Cursor: Sendable, Equatable {
    /// The sort value of the row as an integer (microseconds or a count).
    package let value: Int
    /// The id of the row, which orders rows with the same sort value.
    package let id: Int
    /// Whether the cursor selects the page before the row instead of the page after it.
    package let isPrevious: Bool

    package init(value: Int, id: Int, isPrevious: Bool) {
        self.value = value
        self.id = id
        self.isPrevious = isPrevious
    }

    /// Parses a cursor; returns nil for the start of the list and throws ``BadCursor`` for a malformed one.
    package static func parse(_ text: String?) throws -> Cursor? {
        guard let text, !text.isEmpty else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard text.utf8.count <= 100, parts.count == 3, parts[1] == "0", parts[2] == "0" || parts[2] == "1" else {
            throw BadCursor()
        }
        // Other clients write `0:0:0` for the start of the list.
        if parts[0] == "0" { return nil }
        let key = parts[0].split(separator: "_", omittingEmptySubsequences: false)
        guard key.count == 2, let value = Int(key[0]), let id = Int(key[1]), id >= 0 else { throw BadCursor() }
        return Cursor(value: value, id: id, isPrevious: parts[2] == "1")
    }

    package var text: String { "\(value)_\(id):0:\(isPrevious ? 1 : 0)" }
}

/// The error for a malformed cursor.
package struct BadCursor: Error {}

/// One page of a list, with cursors for the previous and the next page.
package struct Page<Element: Sendable>: Sendable {
    package let elements: [Element]
    /// The cursor of the previous page, which may be empty; see ``hasPrevious``.
    package let previous: Cursor
    package let next: Cursor
    package let hasPrevious: Bool
    package let hasNext: Bool

    /// Makes a page from rows that were fetched in the direction of the cursor, up to one row more than the limit.
    ///
    /// The rows are in list order or, for a previous page, in reverse order. `key` returns the sort value and id of a
    /// row.
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
