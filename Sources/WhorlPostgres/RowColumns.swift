/// The columns of rows that are sent to Postgres as arrays, each with its name, type and values.
///
/// The call of `unnest`, the types of its parameters and the parameters in the same order are derived from this
/// description.
package struct RowColumns<Row>: Sendable {
    /// One column.
    package struct Column: Sendable {
        let name: String
        let type: PostgresType
        let values: @Sendable ([Row]) -> PostgresValue

        /// A column without nulls.
        package static func column<Value: PostgresCodable>(
            _ name: String,
            _ value: @escaping @Sendable (Row) -> Value
        ) -> Column {
            Column(name: name, type: Value.postgresType.array) { .array(of: $0.map(value)) }
        }

        /// A column that may hold nulls.
        package static func optional<Value: PostgresCodable>(
            _ name: String,
            _ value: @escaping @Sendable (Row) -> Value?
        ) -> Column {
            Column(name: name, type: Value.postgresType.array) { .array($0.map(value)) }
        }
    }

    private let columns: [Column]
    private let firstParameter: Int

    /// Columns whose first parameter is `$firstParameter`.
    package init(firstParameter: Int = 1, _ columns: [Column]) {
        self.columns = columns
        self.firstParameter = firstParameter
    }

    /// The table of the rows in a FROM clause, such as `unnest($1, $2) AS r (id, name)`.
    package func unnest(as name: String) -> String {
        let parameters = columns.indices.map { "$\(firstParameter + $0)" }.joined(separator: ", ")
        return "unnest(\(parameters)) AS \(name) (\(columns.map(\.name).joined(separator: ", ")))"
    }

    /// The types of the parameters.
    package var types: [PostgresType] { columns.map(\.type) }

    /// The number of parameters.
    package var count: Int { columns.count }

    /// The rows as parameters.
    package func values(_ rows: [Row]) -> [PostgresValue] { columns.map { $0.values(rows) } }
}
