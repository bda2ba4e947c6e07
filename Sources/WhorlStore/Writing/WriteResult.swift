/// How an event was kept.
package enum WriteResult: Sendable, Equatable {
    /// Committed; at most one event of a batch announces a new issue or a regression.
    case stored(isNewIssue: Bool, isRegression: Bool)
    /// The database had the event already.
    case duplicate
    /// Synced to the spool; a replay commits it later.
    case spooled
}
