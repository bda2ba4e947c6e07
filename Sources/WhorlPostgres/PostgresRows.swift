import CWhorlPostgres
import Foundation

/// The rows that a statement returned, stored as libpq received them and decoded on access.
///
/// A PGresult is accessed only when it is complete, and reading it is safe from any thread.
package final class PostgresRows: @unchecked Sendable, RandomAccessCollection {
    private let result: OpaquePointer?
    package let count: Int
    /// The number of rows that an INSERT, UPDATE or DELETE affected.
    package let affected: Int
    fileprivate let columns: [String: Int32]

    init(taking result: OpaquePointer?) {
        self.result = result
        count = Int(PQntuples(result))
        affected = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        var columns: [String: Int32] = [:]
        for column in 0..<PQnfields(result) {
            if let name = PQfname(result, column) { columns[String(cString: name)] = column }
        }
        self.columns = columns
    }

    deinit { PQclear(result) }

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }
    package subscript(index: Int) -> PostgresRow { PostgresRow(rows: self, index: Int32(index)) }

    fileprivate func type(_ column: Int32) -> PostgresType { PostgresType(rawValue: PQftype(result, column)) }

    fileprivate func bytes(_ row: Int32, _ column: Int32) -> UnsafeRawBufferPointer? {
        guard PQgetisnull(result, row, column) == 0, let start = PQgetvalue(result, row, column) else { return nil }
        return UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, row, column)))
    }
}

/// One row; its errors name the column and the requested type.
package struct PostgresRow: Sendable {
    fileprivate let rows: PostgresRows
    fileprivate let index: Int32

    /// The value of a column that is not null.
    package func read<Value: PostgresCodable>(_ column: String, as: Value.Type = Value.self) throws -> Value {
        guard let value = try readOptional(column, as: Value.self) else {
            throw PostgresError(.decoding, "column \(column) is null, expected \(Value.postgresType.label)")
        }
        return value
    }

    /// The value of a column; nil when it is null.
    package func readOptional<Value: PostgresCodable>(
        _ column: String,
        as: Value.Type = Value.self
    ) throws -> Value? {
        let (number, type) = try find(column)
        guard Value.reads(type) else {
            throw PostgresError(.decoding, "column \(column) is \(type.label), expected \(Value.postgresType.label)")
        }
        guard let bytes = rows.bytes(index, number) else { return nil }
        guard let value = Value.decode(bytes, type: type) else {
            throw PostgresError(.decoding, "column \(column) is not a valid \(Value.postgresType.label)")
        }
        return value
    }

    /// The elements of an array column; a null array is returned as an empty one.
    package func readArray<Element: PostgresCodable>(
        _ column: String,
        of: Element.Type = Element.self
    ) throws -> [Element] {
        let (number, _) = try find(column)
        guard let bytes = rows.bytes(index, number) else { return [] }
        guard let elements = [Element].decodeArray(bytes) else {
            throw PostgresError(.decoding, "column \(column) is not an array of \(Element.postgresType.label)")
        }
        return elements
    }

    private func find(_ column: String) throws -> (Int32, PostgresType) {
        guard let number = rows.columns[column] else {
            throw PostgresError(.decoding, "no column \(column) in the result")
        }
        return (number, rows.type(number))
    }
}
