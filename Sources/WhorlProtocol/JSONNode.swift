/// A lightweight reference to one value of a ``JSONDocument``.
public struct JSONNode: Sendable {
    /// The document that contains the value.
    public let document: JSONDocument
    let index: Int

    private var entry: JSONDocument.Entry { document.entries[index] }

    /// Whether the value is null (or a non-finite number).
    public var isNull: Bool { entry.kind == .null }
    /// Whether the value is an object.
    public var isObject: Bool { entry.kind == .object }
    /// Whether the value is an array.
    public var isArray: Bool { entry.kind == .array }
    /// Whether the value is a string.
    public var isString: Bool { entry.kind == .string }
    /// Whether the value is a number.
    public var isNumber: Bool { entry.kind == .number }

    /// The name of the type of the value, for display.
    public var typeName: String {
        switch entry.kind {
        case .null: "null"
        case .true, .false: "boolean"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// The bytes of the value in the text, including quotes and brackets.
    public var rawBytes: ArraySlice<UInt8> {
        let quote = entry.kind == .string ? 1 : 0
        return document.bytes[Int(entry.start) - quote..<Int(entry.end) + quote]
    }

    /// The characters of a string; nil for every other kind.
    public var string: String? {
        let entry = self.entry
        guard entry.kind == .string else { return nil }
        if entry.hasEscapes { return unescaped(document.bytes[Int(entry.start)..<Int(entry.end)]) }
        return document.bytes.withUnsafeBufferPointer { bytes in
            let slice = UnsafeBufferPointer(rebasing: bytes[Int(entry.start)..<Int(entry.end)])
            let text = String(decoding: slice, as: UTF8.self)
            return slice.contains(0) ? cleaned(text) : text
        }
    }

    /// The length of a string in bytes, with escapes as written; 0 for every other kind.
    public var stringLength: Int { entry.kind == .string ? Int(entry.end - entry.start) : 0 }

    /// The value of a boolean; nil for every other kind.
    public var bool: Bool? {
        switch entry.kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The original text of a number; nil for every other kind.
    public var numberText: String? {
        guard entry.kind == .number else { return nil }
        return String(decoding: document.bytes[Int(entry.start)..<Int(entry.end)], as: UTF8.self)
    }

    /// A number as floating point; nil when it is too large, and for every other kind.
    public var double: Double? {
        guard entry.kind == .number, entry.end - entry.start <= 400, let text = numberText, let value = Double(text),
            value.isFinite
        else { return nil }
        return value
    }

    /// A number that consists only of digits, such as `17`; nil for `1e3`, `5.0`, `-1` and every other kind.
    public var wholeNumber: Int? {
        guard entry.kind == .number, entry.end - entry.start <= 19, let text = numberText,
            text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 })
        else { return nil }
        return Int(text)
    }

    /// A number without a fraction that fits in 64 bits, including `1e3` and `5.0`; nil otherwise.
    public var int: Int? {
        guard entry.kind == .number, entry.end - entry.start <= 400, let text = numberText else { return nil }
        return Int(text) ?? Double(text).flatMap(Int.init(exactly:))
    }

    /// The member of an object, the last one for duplicate keys; nil when absent or when the value is not an object.
    public subscript(key: StaticString) -> JSONNode? {
        let place = document.entries.withUnsafeBufferPointer { entries in
            document.bytes.withUnsafeBufferPointer { bytes in lastMember(key, entries, bytes) }
        }
        return place.map { JSONNode(document: document, index: $0) }
    }

    /// The index of the last member with a key.
    ///
    /// Uses raw buffers, because reference counting costs more than comparing the hundreds of members of an event.
    private func lastMember(
        _ key: StaticString,
        _ entries: UnsafeBufferPointer<JSONDocument.Entry>,
        _ bytes: UnsafeBufferPointer<UInt8>
    ) -> Int? {
        guard entries[index].kind == .object else { return nil }
        let count = key.utf8CodeUnitCount
        var found: Int?
        var at = index + 1
        let end = Int(entries[index].next)
        while at < end {
            let name = entries[at]
            if name.hasEscapes {
                if Self.isEqual(bytes, escaped: Int(name.start)..<Int(name.end), key) { found = at + 1 }
            } else if Int(name.end - name.start) == count,
                Self.isEqual(bytes, Int(name.start), key)
            {
                found = at + 1
            }
            at = Int(entries[at + 1].next)
        }
        return found
    }

    @inline(__always)
    private static func isEqual(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ key: StaticString) -> Bool {
        for offset in 0..<key.utf8CodeUnitCount where bytes[start + offset] != key.utf8Start[offset] { return false }
        return true
    }

    /// Compares a text with escapes to a key without creating a string.
    ///
    /// Each lookup compares all keys of an object, and a sender may write all of them with escapes.
    private static func isEqual(
        _ bytes: UnsafeBufferPointer<UInt8>,
        escaped range: Range<Int>,
        _ key: StaticString
    ) -> Bool {
        var (at, place) = (range.lowerBound, 0)
        while at < range.upperBound {
            guard place < key.utf8CodeUnitCount, let (byte, length) = plainByte(bytes, at, range.upperBound),
                byte == key.utf8Start[place]
            else { return false }
            at += length
            place += 1
        }
        return place == key.utf8CodeUnitCount
    }

    /// The byte at a position with its escape decoded, and its length in the text; nil for non-ASCII escapes.
    private static func plainByte(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int, _ end: Int) -> (UInt8, Int)? {
        guard bytes[at] == UInt8(ascii: "\\"), at + 1 < end else { return (bytes[at], 1) }
        switch bytes[at + 1] {
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0C, 2)
        case UInt8(ascii: "n"): return (0x0A, 2)
        case UInt8(ascii: "r"): return (0x0D, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "u"):
            guard at + 6 <= end else { return nil }
            var value = 0
            for offset in 2..<6 {
                guard let digit = hexValue(bytes[at + offset]) else { return nil }
                value = value << 4 | Int(digit)
            }
            // U+0000 is read as U+FFFD.
            return (1..<0x80).contains(value) ? (UInt8(value), 6) : nil
        default: return (bytes[at + 1], 2)
        }
    }

    /// The member of an object; null counts as absent.
    public func member(_ key: StaticString) -> JSONNode? {
        self[key].flatMap { $0.isNull ? nil : $0 }
    }

    /// The values of an array, in order; empty for every other kind.
    public var elements: Elements { Elements(node: self, isArray: entry.kind == .array) }

    /// The keys and values of an object, in order, including duplicate keys; empty for every other kind.
    public var members: Members { Members(node: self, isObject: entry.kind == .object) }

    /// Whether the value is a string that equals `text`.
    public func equals(_ text: StaticString) -> Bool {
        let entry = self.entry
        guard entry.kind == .string else { return false }
        if entry.hasEscapes {
            return document.bytes.withUnsafeBufferPointer {
                Self.isEqual($0, escaped: Int(entry.start)..<Int(entry.end), text)
            }
        }
        let count = Int(entry.end - entry.start)
        guard count == text.utf8CodeUnitCount else { return false }
        return document.bytes.withUnsafeBufferPointer { bytes in
            (0..<count).allSatisfy { bytes[Int(entry.start) + $0] == text.utf8Start[$0] }
        }
    }

    /// A sequence of the values of an array.
    public struct Elements: Sequence, IteratorProtocol {
        private let node: JSONNode
        private var index: Int
        private let end: Int

        init(node: JSONNode, isArray: Bool) {
            self.node = node
            index = node.index + 1
            end = isArray ? Int(node.entry.next) : 0
        }

        /// The next value.
        public mutating func next() -> JSONNode? {
            guard index < end else { return nil }
            defer { index = Int(node.document.entries[index].next) }
            return JSONNode(document: node.document, index: index)
        }
    }

    /// A sequence of the members of an object.
    public struct Members: Sequence, IteratorProtocol {
        private let node: JSONNode
        private var index: Int
        private let end: Int

        init(node: JSONNode, isObject: Bool) {
            self.node = node
            index = node.index + 1
            end = isObject ? Int(node.entry.next) : 0
        }

        /// The next key (a string) and its value.
        public mutating func next() -> (key: JSONNode, value: JSONNode)? {
            guard index < end else { return nil }
            let value = index + 1
            defer { index = Int(node.document.entries[value].next) }
            return (JSONNode(document: node.document, index: index), JSONNode(document: node.document, index: value))
        }
    }
}

/// Replaces U+0000 with U+FFFD, because the text type of Postgres cannot store it and the rest of the text must be
/// kept.
private func cleaned(_ text: String) -> String {
    guard text.utf8.contains(0) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
}

private func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    func unit(at start: Int) -> UInt32? {
        guard start + 6 <= bytes.endIndex, bytes[start] == UInt8(ascii: "\\"), bytes[start + 1] == UInt8(ascii: "u")
        else { return nil }
        var value: UInt32 = 0
        for offset in 2..<6 {
            guard let digit = hexValue(bytes[start + offset]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
    while index < bytes.endIndex {
        let byte = bytes[index]
        guard byte == UInt8(ascii: "\\"), index + 1 < bytes.endIndex else {
            result.append(byte)
            index += 1
            continue
        }
        switch bytes[index + 1] {
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = unit(at: index).flatMap(Unicode.Scalar.init)
            if let high = unit(at: index), (0xD800..<0xDC00).contains(high), let low = unit(at: index + 6),
                (0xDC00..<0xE000).contains(low)
            {
                scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
                index += 6
            }
            result.append(contentsOf: String(Character(scalar ?? "\u{FFFD}")).utf8)
            index += 4
        default: result.append(bytes[index + 1])
        }
        index += 2
    }
    return cleaned(String(decoding: result, as: UTF8.self))
}
