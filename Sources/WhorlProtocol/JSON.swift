/// A JSON value that owns its content, in contrast to a ``JSONNode``, which references a text.
public enum JSON: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number.
    case int(Int)
    /// A number with its original digits, so that no precision is lost.
    case number(String)
    /// A string.
    case string(String)
    /// A list.
    case array([JSON])
    /// An object with its members in order.
    case object([(key: String, value: JSON)])

    /// A floating point number; null when it is not finite, because JSON cannot represent it.
    public static func double(_ value: Double) -> JSON {
        value.isFinite ? .number("\(value)") : .null
    }

    /// The string, or null.
    public static func optional(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
    /// The number, or null.
    public static func optional(_ value: Int?) -> JSON { value.map(JSON.int) ?? .null }
    /// The boolean, or null.
    public static func optional(_ value: Bool?) -> JSON { value.map(JSON.bool) ?? .null }

    /// Creates a value from a node; of duplicate keys, the last one is kept.
    public init(_ node: JSONNode) {
        if node.isObject {
            var members: [(key: String, value: JSON)] = []
            var places: [String: Int] = [:]
            for (key, value) in node.members {
                let name = key.string ?? ""
                if let place = places[name] {
                    members[place].value = JSON(value)
                } else {
                    places[name] = members.count
                    members.append((name, JSON(value)))
                }
            }
            self = .object(members)
        } else if node.isArray {
            self = .array(node.elements.map(JSON.init))
        } else if let string = node.string {
            self = .string(string)
        } else if let bool = node.bool {
            self = .bool(bool)
        } else if let number = node.numberText {
            self = .number(number)
        } else {
            self = .null
        }
    }

    /// Compares two values; numbers are compared by their digits, and the order of members matters.
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.int(let a), .number(let b)), (.number(let b), .int(let a)): String(a) == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        default: false
        }
    }

    /// The member of an object, the last one for duplicate keys; nil when absent or when the value is not an object.
    public subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    /// The characters of a string; nil for every other kind.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The elements of an array; nil for every other kind.
    public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    /// The members of an object; nil for every other kind.
    public var object: [(key: String, value: JSON)]? { if case .object(let value) = self { value } else { nil } }
    /// The value of a boolean; nil for every other kind.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// A whole number that fits in 64 bits; nil for every other kind.
    public var int: Int? {
        switch self {
        case .int(let value): value
        case .number(let text): Int(text) ?? Double(text).flatMap(Int.init(exactly:))
        default: nil
        }
    }

    /// The value as compact JSON text.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    /// The value as compact JSON text.
    public var text: String { String(decoding: encoded(), as: UTF8.self) }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value): bytes.append(contentsOf: String(value).utf8)
        case .number(let digits): bytes.append(contentsOf: digits.utf8)
        case .string(let value): Self.write(value, to: &bytes)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.write(member.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    private static func write(_ string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hexDigits[Int(byte >> 4)])
                bytes.append(hexDigits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A whole number.
    public init(integerLiteral value: Int) { self = .int(value) }
    /// A list.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// An object with its members in order.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { (key: $0.0, value: $0.1) })
    }
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
}
