/// A JSON text, parsed once into a flat list of entries that reference its bytes.
///
/// The parser is strict about the grammar (RFC 8259), limits the nesting depth, and does not use recursion.
/// It accepts these deviations, because SDKs in use need them:
/// - a byte order mark is skipped, and invalid UTF-8 is read as U+FFFD;
/// - `NaN`, `Infinity` and `-Infinity` are read as null (old Python SDKs send them), see ``hasNonFiniteNumbers``;
/// - strings may contain unescaped control characters;
/// - lone surrogate escapes and `\u0000` are read as U+FFFD; the text type of Postgres cannot store U+0000;
/// - of duplicate keys, the last one is used.
public final class JSONDocument: Sendable {
    /// A syntax error and its position.
    public struct SyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
        /// The reason, which is safe to show to the sender.
        public let reason: String
        /// The offset in bytes.
        public let offset: Int
        /// The reason and the offset.
        public var description: String { "\(reason) at byte \(offset)" }
    }

    /// The maximum nesting depth of a text; real events have a depth below 30.
    public static let defaultMaxDepth = 128
    /// The maximum number of values and keys, of 16 bytes each; a real event of 1 MiB has fewer than 60,000.
    public static let defaultMaxEntries = 400_000
    /// The size of one entry in bytes.
    public static let entryBytes = 16

    /// The maximum size of the entries for a text of `count` bytes; a value needs at least two bytes of the text.
    public static func listBytes(ofText count: Int) -> Int {
        entryBytes * Swift.min(count / 2 + 1, defaultMaxEntries)
    }

    /// The size of the entries of this text in bytes.
    public var listBytes: Int { entries.count * Self.entryBytes }

    struct Entry {
        var kind: Kind
        /// Whether a string has escapes, so that its bytes must be decoded.
        var hasEscapes = false
        /// Whether a string is the key of a member; its value is the next entry.
        var isKey = false
        /// The offset of the first byte of the value; for strings, of the byte after the opening quote.
        var start: UInt32
        /// The offset of the byte after the value; for strings, of the closing quote.
        var end: UInt32 = 0
        /// The index of the entry after this value and its content.
        var next: UInt32 = 0
    }

    enum Kind: UInt8 {
        case null
        case `true`
        case `false`
        case number
        case string
        case array
        case object
    }

    /// The bytes that the nodes reference; a repaired copy of the input if it contains invalid UTF-8.
    public let bytes: [UInt8]
    /// Whether the text contains `NaN`, `Infinity` or `-Infinity`.
    public let hasNonFiniteNumbers: Bool
    /// Whether invalid UTF-8 was replaced.
    public let wasRepaired: Bool
    let entries: [Entry]

    /// Parses a whole text, which must be one value with optional whitespace around it.
    public init(
        _ input: [UInt8],
        maxDepth: Int = defaultMaxDepth,
        maxEntries: Int = defaultMaxEntries
    ) throws(SyntaxError) {
        guard input.count < Int(UInt32.max) else { throw SyntaxError(reason: "text too long", offset: 0) }
        if input.withUnsafeBufferPointer({ UTF8Validation.isValid($0) }) {
            bytes = input
            wasRepaired = false
        } else {
            bytes = Array(String(decoding: input, as: UTF8.self).utf8)
            wasRepaired = true
        }
        var parser = JSONParser(
            maxDepth: maxDepth,
            maxEntries: maxEntries,
            capacity: Swift.min(bytes.count / 12, maxEntries)
        )
        if let error = bytes.withUnsafeBufferPointer({ parser.parse($0) }) { throw error }
        entries = parser.entries
        hasNonFiniteNumbers = parser.hasNonFiniteNumbers
    }

    /// The top-level value.
    public var root: JSONNode { JSONNode(document: self, index: 0) }
}

enum UTF8Validation {
    static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil
    }
}

/// A JSON parser that makes one pass over the bytes.
///
/// It keeps open containers in an array instead of the call stack, so that deep nesting cannot overflow the call stack.
struct JSONParser {
    private(set) var entries: [JSONDocument.Entry] = []
    private(set) var hasNonFiniteNumbers = false
    private var open: [UInt32] = []
    private let maxDepth: Int
    private let maxEntries: Int

    init(maxDepth: Int, maxEntries: Int, capacity: Int) {
        self.maxDepth = maxDepth
        self.maxEntries = maxEntries
        entries.reserveCapacity(capacity)
    }

    private enum Expecting {
        case value
        case valueOrEnd
        case keyOrEnd
        case key
        case commaOrEnd
    }

    mutating func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> JSONDocument.SyntaxError? {
        var at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var expecting = Expecting.value
        func failure(_ reason: String) -> JSONDocument.SyntaxError { .init(reason: reason, offset: at) }

        while true {
            while at < bytes.count, isBlank(bytes[at]) { at += 1 }
            guard at < bytes.count else { return failure("unexpected end") }
            guard entries.count < maxEntries else { return failure("too many values") }
            let byte = bytes[at]
            switch expecting {
            case .keyOrEnd where byte == UInt8(ascii: "}"), .valueOrEnd where byte == UInt8(ascii: "]"):
                at += 1
                close(at)
                expecting = .commaOrEnd
            case .key, .keyOrEnd:
                guard byte == UInt8(ascii: "\"") else { return failure("expected a key") }
                guard string(bytes, &at) else { return failure("invalid string") }
                entries[entries.count - 1].isKey = true
                while at < bytes.count, isBlank(bytes[at]) { at += 1 }
                guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { return failure("expected ':'") }
                at += 1
                expecting = .value
            case .commaOrEnd:
                guard let container = open.last else { return failure("unexpected text after the value") }
                let isObject = entries[Int(container)].kind == .object
                if byte == UInt8(ascii: ",") {
                    at += 1
                    expecting = isObject ? .key : .value
                } else if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    at += 1
                    close(at)
                } else {
                    return failure("expected ',' or the end of the \(isObject ? "object" : "array")")
                }
            case .value, .valueOrEnd:
                switch byte {
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    guard open.count < maxDepth else { return failure("nested too deeply") }
                    open.append(UInt32(entries.count))
                    let isObject = byte == UInt8(ascii: "{")
                    entries.append(.init(kind: isObject ? .object : .array, start: UInt32(at)))
                    at += 1
                    expecting = isObject ? .keyOrEnd : .valueOrEnd
                    continue
                case UInt8(ascii: "\""):
                    guard string(bytes, &at) else { return failure("invalid string") }
                case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    guard number(bytes, &at) else { return failure("invalid number") }
                default:
                    guard word(bytes, &at) else { return failure("expected a value") }
                }
                expecting = .commaOrEnd
            }
            if open.isEmpty, expecting == .commaOrEnd {
                while at < bytes.count, isBlank(bytes[at]) { at += 1 }
                return at == bytes.count ? nil : failure("unexpected text after the value")
            }
        }
    }

    private mutating func close(_ end: Int) {
        guard let index = open.popLast() else { return }
        entries[Int(index)].end = UInt32(end)
        entries[Int(index)].next = UInt32(entries.count)
    }

    private mutating func add(_ kind: JSONDocument.Kind, _ start: Int, _ end: Int, hasEscapes: Bool = false) {
        entries.append(
            .init(
                kind: kind,
                hasEscapes: hasEscapes,
                start: UInt32(start),
                end: UInt32(end),
                next: UInt32(entries.count + 1)
            )
        )
    }

    private mutating func string(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Bool {
        let start = at + 1
        var index = start
        var hasEscapes = false
        while true {
            index = plainRun(bytes, from: index)
            guard index < bytes.count else { return false }
            if bytes[index] == UInt8(ascii: "\"") { break }
            hasEscapes = true
            guard index + 1 < bytes.count else { return false }
            switch bytes[index + 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
                UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
                index += 2
            case UInt8(ascii: "u"):
                guard index + 6 <= bytes.count, (index + 2..<index + 6).allSatisfy({ hexValue(bytes[$0]) != nil })
                else { return false }
                index += 6
            default:
                return false
            }
        }
        add(.string, start, index, hasEscapes: hasEscapes)
        at = index + 1
        return true
    }

    /// The index of the next quote or backslash; compares 16 bytes at a time, because most of an event is plain text.
    private func plainRun(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        guard let base = UnsafeRawPointer(bytes.baseAddress) else { return index }
        let quote = SIMD16<UInt8>(repeating: UInt8(ascii: "\""))
        let backslash = SIMD16<UInt8>(repeating: UInt8(ascii: "\\"))
        while index + 16 <= bytes.count {
            let chunk = base.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
            let found = (chunk .== quote) .| (chunk .== backslash)
            if any(found) { break }
            index += 16
        }
        while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\") { index += 1 }
        return index
    }

    private mutating func number(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Bool {
        let start = at
        var index = at
        func digits() -> Int {
            let from = index
            while index < bytes.count, isDigit(bytes[index]) { index += 1 }
            return index - from
        }
        if bytes[index] == UInt8(ascii: "-") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "I") {
                at = index
                guard word(bytes, &at) else { return false }
                return true
            }
        }
        let leading = index
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[leading] != UInt8(ascii: "0") else { return false }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            guard digits() > 0 else { return false }
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            guard digits() > 0 else { return false }
        }
        add(.number, start, index)
        at = index
        return true
    }

    private static let words: [(text: StaticString, kind: JSONDocument.Kind, isFinite: Bool)] = [
        ("null", .null, true), ("true", .true, true), ("false", .false, true), ("NaN", .null, false),
        ("Infinity", .null, false),
    ]

    private mutating func word(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> Bool {
        for (text, kind, isFinite) in Self.words where at + text.utf8CodeUnitCount <= bytes.count {
            let count = text.utf8CodeUnitCount
            let matches = (0..<count).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
            guard matches else { continue }
            add(kind, at, at + count)
            if !isFinite { hasNonFiniteNumbers = true }
            at += count
            return true
        }
        return false
    }
}

@inline(__always)
private func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
}

@inline(__always)
private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

/// The value of a hexadecimal digit in any case.
@inline(__always)
package func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
