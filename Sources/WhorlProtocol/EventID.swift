import Foundation

/// The id of an event: 16 bytes, parsed on input, so that unvalidated text of a sender is never used as an id.
public struct EventID: Hashable, Sendable, CustomStringConvertible {
    /// The bytes as a UUID.
    public let uuid: UUID

    /// Creates an id from a UUID.
    public init(uuid: UUID) { self.uuid = uuid }

    /// Creates an id from 16 bytes; returns nil for any other number of bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        uuid = bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    /// The 16 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }

    /// Creates a random id (UUID version 4).
    public static func random() -> EventID { EventID(uuid: UUID()) }

    /// Parses 32 hexadecimal digits or a hyphenated UUID, in any case; returns nil for other texts and the nil UUID.
    public init?(_ text: some StringProtocol) {
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        for (index, byte) in text.utf8.enumerated() {
            if index >= 36 { return nil }
            if byte == UInt8(ascii: "-") {
                guard [8, 13, 18, 23].contains(index), text.utf8.count == 36 else { return nil }
                continue
            }
            guard let value = hexValue(byte) else { return nil }
            digits.append(value)
        }
        guard digits.count == 32, text.utf8.count == 32 || text.utf8.count == 36 else { return nil }
        let bytes = (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
        guard bytes.contains(where: { $0 != 0 }) else { return nil }
        uuid = bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    /// 32 lower-case hexadecimal digits.
    public var hex: String {
        withUnsafeBytes(of: uuid.uuid) { hexString($0) }
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { hex }
}

/// Formats bytes as lower-case hexadecimal digits.
public func hexString(_ bytes: some Collection<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
