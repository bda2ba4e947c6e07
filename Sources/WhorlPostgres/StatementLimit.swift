/// The server-side time limit of a statement (`statement_timeout`), in milliseconds.
///
/// It is shorter than the client's deadline: a statement that is too slow ends with SQLSTATE 57014 while the server
/// still answers. If the client's deadline passes nevertheless, the server is unavailable.
enum StatementLimit {
    /// The difference between the client's deadline and the server's limit, in milliseconds.
    private static let margin = 250

    /// The limit to set for a statement with `left` time left; nil when the current limit is suitable.
    static func change(from current: Int?, left: Duration) -> Int? {
        let left = max(Int(left / .milliseconds(1)), 1)
        let wanted = max(left - min(margin, left / 4), 1)
        guard let current else { return wanted }
        let isBelow = current <= left - min(100, left / 8)
        // A limit far below the deadline would end statements too early.
        let isEnough = current * 2 >= wanted
        return isBelow && isEnough ? nil : wanted
    }

    /// Whether a server with this limit must have answered after `waited`.
    static func isExceeded(_ limit: Int?, after waited: Duration) -> Bool {
        guard let limit else { return true }
        return waited > .milliseconds(limit + 20)
    }
}
