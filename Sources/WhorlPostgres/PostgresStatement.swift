/// An SQL statement with a fixed text, prepared on each connection that uses it.
package struct PostgresStatement: Sendable {
    /// The operation under which its durations are recorded; several statements may share one.
    package let operation: String
    package let sql: String
    /// The types of `$1`, `$2`, …; parameters must have exactly these types.
    package let parameters: [PostgresType]

    package init(_ operation: String, _ sql: String, _ parameters: [PostgresType] = []) {
        self.operation = operation
        self.sql = sql
        self.parameters = parameters
    }
}
