/// The server-side time limit of a statement (`statement_timeout`), in milliseconds.
///
/// It lies below the client's deadline: a statement that is too slow ends with SQLSTATE 57014 while the server still
/// answers. A client deadline that passes all the same means that the server is away.
enum StatementLimit {
    /// How much earlier than the client the server gives up.
    private static let margin = 250

    /// The limit to set for a statement that may take so long; nil when the present one fits.
    static func change(from current: Int?, left: Duration) -> Int? {
        let left = max(Int(left / .milliseconds(1)), 1)
        let wanted = max(left - min(margin, left / 4), 1)
        guard let current else { return wanted }
        let isBelow = current <= left - min(100, left / 8)
        // A limit far below the deadline would end statements that have time.
        let isEnough = current * 2 >= wanted
        return isBelow && isEnough ? nil : wanted
    }

    /// Whether a server with this limit must have answered after so long.
    static func isExceeded(_ limit: Int?, after waited: Duration) -> Bool {
        guard let limit else { return true }
        return waited > .milliseconds(limit + 20)
    }
}
