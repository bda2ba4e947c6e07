/// One SQL statement of the program, written once and prepared on each connection that uses it.
package struct PostgresStatement: Sendable {
    /// The word under which its durations are counted; several statements may share one.
    package let operation: String
    package let sql: String
    /// The types of `$1`, `$2`, …; parameters must be sent as just these.
    package let parameters: [PostgresType]

    package init(_ operation: String, _ sql: String, _ parameters: [PostgresType] = []) {
        self.operation = operation
        self.sql = sql
        self.parameters = parameters
    }
}
