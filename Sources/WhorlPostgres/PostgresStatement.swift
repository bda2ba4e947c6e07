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

/// SQL put together at run time from fixed pieces, with every value as a parameter.
///
/// Text enters only through `StaticString`, so that no input can become SQL.
package struct SQLFragment: Sendable {
    package private(set) var sql = ""
    package private(set) var values: [PostgresValue] = []

    package init() {}

    package init(_ text: StaticString) { append(text) }

    package mutating func append(_ text: StaticString) {
        sql += text.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
    }

    /// Adds a value as a parameter.
    package mutating func bind(_ value: some PostgresCodable) {
        bind(value.postgresValue)
    }

    /// Adds a value as a parameter.
    package mutating func bind(_ value: PostgresValue) {
        values.append(value)
        sql += "$\(values.count)"
    }

    /// Adds another fragment, its parameters renumbered.
    package mutating func append(_ other: SQLFragment) {
        let offset = values.count
        var renumbered = ""
        var digits = ""
        var inParameter = false
        for character in other.sql {
            if inParameter, character.isNumber {
                digits.append(character)
                continue
            }
            if inParameter {
                renumbered += String((Int(digits) ?? 0) + offset)
                (inParameter, digits) = (false, "")
            }
            renumbered.append(character)
            if character == "$" { inParameter = true }
        }
        if inParameter { renumbered += String((Int(digits) ?? 0) + offset) }
        sql += renumbered
        values += other.values
    }
}
