/// SQL that is composed at run time, with every value as a parameter.
///
///     let query: SQLFragment = "SELECT id FROM issue WHERE project_id = \(projectID) AND id = ANY (\(.array(of: ids)))"
///
/// Text comes from literals only, so that no input can become SQL. An interpolated value is bound as a parameter, and
/// an interpolated fragment keeps its own text and values.
package struct SQLFragment: Sendable, ExpressibleByStringInterpolation {
    private enum Piece: Sendable {
        case text(String)
        case value
    }

    private var pieces: [Piece] = []
    /// The parameters, in the order of their numbers.
    package private(set) var values: [PostgresValue] = []

    package init() {}

    package init(stringLiteral text: String) { pieces = [.text(text)] }

    package init(stringInterpolation: StringInterpolation) { self = stringInterpolation.fragment }

    /// The text, with its parameters numbered.
    package var sql: String {
        var sql = ""
        var number = 0
        for piece in pieces {
            switch piece {
            case .text(let text): sql += text
            case .value:
                number += 1
                sql += "$\(number)"
            }
        }
        return sql
    }

    package var isEmpty: Bool { pieces.isEmpty }

    /// Adds another fragment at the end.
    package mutating func append(_ other: SQLFragment) {
        pieces += other.pieces
        values += other.values
    }

    package static func += (left: inout SQLFragment, right: SQLFragment) { left.append(right) }

    /// The literal text and the values of an interpolated string.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var fragment = SQLFragment()

        package init(literalCapacity: Int, interpolationCount: Int) {}

        package mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { fragment.pieces.append(.text(literal)) }
        }

        /// Binds a value as a parameter.
        package mutating func appendInterpolation(_ value: some PostgresCodable) {
            appendInterpolation(value.postgresValue)
        }

        /// Binds a value as a parameter.
        package mutating func appendInterpolation(_ value: PostgresValue) {
            fragment.pieces.append(.value)
            fragment.values.append(value)
        }

        /// Inserts another fragment, its parameters renumbered.
        package mutating func appendInterpolation(_ other: SQLFragment) { fragment.append(other) }
    }
}

extension [SQLFragment] {
    /// The fragments with a separator between them.
    package func joined(separator: SQLFragment) -> SQLFragment {
        var result = SQLFragment()
        for (index, fragment) in enumerated() {
            if index > 0 { result += separator }
            result += fragment
        }
        return result
    }
}
