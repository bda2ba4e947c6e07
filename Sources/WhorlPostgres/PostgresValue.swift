import Foundation

/// One parameter of a statement, in Postgres' binary format.
package struct PostgresValue: Sendable {
    /// The object id of the type, from `pg_type.dat`.
    package let type: PostgresType
    /// The bytes, or nil for null.
    package let bytes: [UInt8]?

    package init(type: PostgresType, bytes: [UInt8]?) {
        self.type = type
        self.bytes = bytes
    }

    package static func null(_ type: PostgresType) -> PostgresValue { PostgresValue(type: type, bytes: nil) }
}

/// The object ids of the supported types, which Postgres defines and never changes.
package struct PostgresType: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let bool = PostgresType(rawValue: 16)
    package static let bytea = PostgresType(rawValue: 17)
    package static let int8 = PostgresType(rawValue: 20)
    package static let int2 = PostgresType(rawValue: 21)
    package static let int4 = PostgresType(rawValue: 23)
    package static let text = PostgresType(rawValue: 25)
    package static let float8 = PostgresType(rawValue: 701)
    package static let varchar = PostgresType(rawValue: 1043)
    package static let name = PostgresType(rawValue: 19)
    package static let date = PostgresType(rawValue: 1082)
    package static let timestamptz = PostgresType(rawValue: 1184)
    package static let uuid = PostgresType(rawValue: 2950)
    package static let jsonb = PostgresType(rawValue: 3802)

    /// The array type of an element type.
    package var array: PostgresType {
        switch self {
        case .bool: PostgresType(rawValue: 1000)
        case .bytea: PostgresType(rawValue: 1001)
        case .int2: PostgresType(rawValue: 1005)
        case .int4: PostgresType(rawValue: 1007)
        case .text: PostgresType(rawValue: 1009)
        case .int8: PostgresType(rawValue: 1016)
        case .float8: PostgresType(rawValue: 1022)
        case .date: PostgresType(rawValue: 1182)
        case .timestamptz: PostgresType(rawValue: 1185)
        case .uuid: PostgresType(rawValue: 2951)
        default: preconditionFailure("no array type for \(rawValue)")
        }
    }

    /// The readable type name, for errors.
    package var label: String {
        switch self {
        case .bool: "bool"
        case .bytea: "bytea"
        case .int8: "int8"
        case .int2: "int2"
        case .int4: "int4"
        case .text, .varchar, .name: "text"
        case .float8: "float8"
        case .date: "date"
        case .timestamptz: "timestamptz"
        case .uuid: "uuid"
        case .jsonb: "jsonb"
        default: "type \(rawValue)"
        }
    }
}

/// A Swift type that can be sent to and read from Postgres in binary format.
package protocol PostgresCodable: Sendable {
    /// The Postgres type of a sent value.
    static var postgresType: PostgresType { get }
    /// Whether a column of this type can be read as Self.
    static func reads(_ type: PostgresType) -> Bool
    func encode(into buffer: inout [UInt8])
    /// Nil when the bytes are not a value of Self.
    static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Self?
}

extension PostgresCodable {
    package static func reads(_ type: PostgresType) -> Bool { type == postgresType }

    /// The value as a parameter.
    package var postgresValue: PostgresValue {
        var buffer: [UInt8] = []
        encode(into: &buffer)
        return PostgresValue(type: Self.postgresType, bytes: buffer)
    }
}

extension FixedWidthInteger {
    fileprivate func appendBigEndian(to buffer: inout [UInt8]) {
        withUnsafeBytes(of: bigEndian) { buffer.append(contentsOf: $0) }
    }

    fileprivate init?(bigEndianBytes bytes: UnsafeRawBufferPointer) {
        guard bytes.count == MemoryLayout<Self>.size else { return nil }
        self = Self(bigEndian: bytes.loadUnaligned(as: Self.self))
    }
}

extension Bool: PostgresCodable {
    package static var postgresType: PostgresType { .bool }
    package func encode(into buffer: inout [UInt8]) { buffer.append(self ? 1 : 0) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Bool? {
        bytes.count == 1 ? bytes[0] != 0 : nil
    }
}

extension Int16: PostgresCodable {
    package static var postgresType: PostgresType { .int2 }
    package func encode(into buffer: inout [UInt8]) { appendBigEndian(to: &buffer) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Int16? {
        Int16(bigEndianBytes: bytes)
    }
}

extension Int32: PostgresCodable {
    package static var postgresType: PostgresType { .int4 }
    package func encode(into buffer: inout [UInt8]) { appendBigEndian(to: &buffer) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Int32? {
        Int32(bigEndianBytes: bytes)
    }
}

extension Int: PostgresCodable {
    package static var postgresType: PostgresType { .int8 }
    package static func reads(_ type: PostgresType) -> Bool { type == .int8 || type == .int4 || type == .int2 }
    package func encode(into buffer: inout [UInt8]) { Int64(self).appendBigEndian(to: &buffer) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Int? {
        switch type {
        case .int2: Int16(bigEndianBytes: bytes).map(Int.init)
        case .int4: Int32(bigEndianBytes: bytes).map(Int.init)
        default: Int64(bigEndianBytes: bytes).map(Int.init)
        }
    }
}

extension Double: PostgresCodable {
    package static var postgresType: PostgresType { .float8 }
    package func encode(into buffer: inout [UInt8]) { bitPattern.appendBigEndian(to: &buffer) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Double? {
        UInt64(bigEndianBytes: bytes).map(Double.init(bitPattern:))
    }
}

extension String: PostgresCodable {
    package static var postgresType: PostgresType { .text }
    package static func reads(_ type: PostgresType) -> Bool {
        type == .text || type == .varchar || type == .name || type == .jsonb
    }

    /// Replaces U+0000, which a Postgres text cannot contain, with U+FFFD, so that no text after it is lost.
    package func encode(into buffer: inout [UInt8]) {
        for byte in utf8 {
            if byte == 0 { buffer.append(contentsOf: [0xEF, 0xBF, 0xBD]) } else { buffer.append(byte) }
        }
    }

    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> String? {
        // jsonb is sent as a version byte followed by the text.
        let text = type == .jsonb ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst()) : bytes
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8]: PostgresCodable {
    package static var postgresType: PostgresType { .bytea }
    package func encode(into buffer: inout [UInt8]) { buffer.append(contentsOf: self) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> [UInt8]? { Array(bytes) }
}

extension UUID: PostgresCodable {
    package static var postgresType: PostgresType { .uuid }
    package func encode(into buffer: inout [UInt8]) {
        withUnsafeBytes(of: uuid) { buffer.append(contentsOf: $0) }
    }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> UUID? {
        bytes.count == 16 ? UUID(uuid: bytes.loadUnaligned(as: uuid_t.self)) : nil
    }
}

extension Date: PostgresCodable {
    /// The seconds from 1970 to 2000, the epoch of Postgres.
    private static let postgresEpoch: Double = 946_684_800

    package static var postgresType: PostgresType { .timestamptz }
    package func encode(into buffer: inout [UInt8]) {
        let microseconds = (timeIntervalSince1970 - Self.postgresEpoch) * 1_000_000
        // Postgres accepts the years -4713 to 294276; the limits here are well within, so that no date of a sender is
        // rejected.
        let clamped = microseconds.isNaN ? 0 : min(max(microseconds.rounded(), -2e17), 3e17)
        Int64(clamped).appendBigEndian(to: &buffer)
    }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> Date? {
        Int64(bigEndianBytes: bytes)
            .map {
                Date(timeIntervalSince1970: Double($0) / 1_000_000 + postgresEpoch)
            }
    }
}

/// A calendar day in UTC, Postgres' `date`.
package struct PostgresDay: PostgresCodable, Hashable, Comparable {
    /// Days since 2000-01-01.
    package let daysSince2000: Int32

    package init(daysSince2000: Int32) { self.daysSince2000 = daysSince2000 }

    /// Makes the day in UTC that contains the date.
    package init(_ date: Date) {
        let days = ((date.timeIntervalSince1970 - 946_684_800) / 86_400).rounded(.down)
        daysSince2000 = Int32(exactly: days) ?? 0
    }

    package static var postgresType: PostgresType { .date }
    package func encode(into buffer: inout [UInt8]) { daysSince2000.appendBigEndian(to: &buffer) }
    package static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) -> PostgresDay? {
        Int32(bigEndianBytes: bytes).map(PostgresDay.init(daysSince2000:))
    }

    /// The start of the day, midnight in UTC.
    package var start: Date { Date(timeIntervalSince1970: 946_684_800 + Double(daysSince2000) * 86_400) }

    package func advanced(by days: Int32) -> PostgresDay { PostgresDay(daysSince2000: daysSince2000 &+ days) }

    package static func < (left: PostgresDay, right: PostgresDay) -> Bool { left.daysSince2000 < right.daysSince2000 }
}

extension PostgresValue {
    /// Makes an array parameter: the header of a one-dimensional array, then the length and bytes of each element.
    package static func array<Element: PostgresCodable>(_ elements: some Collection<Element?>) -> PostgresValue {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(20 + elements.count * 12)
        Int32(1).appendBigEndian(to: &buffer)
        Int32(1).appendBigEndian(to: &buffer)
        Element.postgresType.rawValue.appendBigEndian(to: &buffer)
        Int32(clamping: elements.count).appendBigEndian(to: &buffer)
        Int32(1).appendBigEndian(to: &buffer)
        for element in elements {
            guard let element else {
                Int32(-1).appendBigEndian(to: &buffer)
                continue
            }
            let lengthAt = buffer.count
            Int32(0).appendBigEndian(to: &buffer)
            element.encode(into: &buffer)
            let length = UInt32(clamping: buffer.count - lengthAt - 4)
            for (offset, shift) in [24, 16, 8, 0].enumerated() {
                buffer[lengthAt + offset] = UInt8(truncatingIfNeeded: length >> UInt32(shift))
            }
        }
        return PostgresValue(type: Element.postgresType.array, bytes: buffer)
    }

    /// An array without nulls.
    package static func array<Element: PostgresCodable>(of elements: [Element]) -> PostgresValue {
        array(elements.lazy.map(Optional.some))
    }

    /// A value or null.
    package static func optional<Value: PostgresCodable>(_ value: Value?) -> PostgresValue {
        value?.postgresValue ?? .null(Value.postgresType)
    }
}

extension Array where Element: PostgresCodable {
    /// Reads a one-dimensional array without nulls; nil when the bytes are something else.
    static func decodeArray(_ bytes: UnsafeRawBufferPointer) -> [Element]? {
        var offset = 0
        func int32() -> Int32? {
            guard offset + 4 <= bytes.count else { return nil }
            defer { offset += 4 }
            return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        }
        guard let dimensions = int32(), int32() != nil, let type = int32() else { return nil }
        if dimensions == 0 { return [] }
        guard dimensions == 1, let count = int32(), count >= 0, int32() != nil else { return nil }
        let elementType = PostgresType(rawValue: UInt32(bitPattern: type))
        guard Element.reads(elementType) else { return nil }
        var elements: [Element] = []
        for _ in 0..<count {
            guard let length = int32(), length >= 0, offset + Int(length) <= bytes.count else { return nil }
            let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(length)])
            guard let element = Element.decode(slice, type: elementType) else { return nil }
            elements.append(element)
            offset += Int(length)
        }
        return elements
    }
}
