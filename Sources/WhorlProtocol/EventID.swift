import Foundation

/// The identity of an event: 16 bytes, parsed at the edge so that no text of a sender goes any further.
public struct EventID: Hashable, Sendable, CustomStringConvertible {
    /// The bytes as a UUID.
    public let uuid: UUID

    /// Takes an identity as it is.
    public init(uuid: UUID) { self.uuid = uuid }

    /// Takes an identity from its 16 bytes; nil for any other number of them.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        uuid = bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    /// The 16 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid) { Array($0) } }

    /// A new random identity (UUID version 4).
    public static func random() -> EventID { EventID(uuid: UUID()) }

    /// Reads 32 hexadecimal digits or a hyphenated UUID, either case; nil for anything else and for the nil UUID.
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

/// Bytes as lower-case hexadecimal digits.
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
