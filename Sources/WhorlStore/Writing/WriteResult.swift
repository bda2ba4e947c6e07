/// The result of storing an event.
package enum WriteResult: Sendable, Equatable {
    /// Committed; at most one event of a batch announces a new issue or a regression.
    case stored(isNewIssue: Bool, isRegression: Bool)
    /// The event was already stored.
    case duplicate
    /// Synced to the spool; a replay stores it later.
    case spooled
}
