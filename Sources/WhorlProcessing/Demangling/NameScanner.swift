import CWhorlSearch

/// Edits the bytes of a name; each operation is linear in its length.
///
/// Names are untrusted input: no operation is recursive, and each byte is read a constant number of times.
struct NameScanner {
    var bytes: [UInt8]

    init(_ name: String) { bytes = Array(name.utf8) }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    static func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- 0x61 < 6 }
    static func isLower(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 }
    static func isUpper(_ byte: UInt8) -> Bool { byte &- 0x41 < 26 }
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte >= 0x80 }
    static func isWord(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "_") }

    /// Removes the brackets and the text between them.
    ///
    /// An unmatched closing bracket is kept. An unmatched opening bracket is removed with the text after it.
    /// The caller must handle a bracket at the start of the name, as in `<T as Trait>::f`.
    mutating func dropBracketed(_ open: UInt8, _ close: UInt8, replacement: [UInt8] = []) {
        guard bytes.contains(open) else { return }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var depth = 0
        var kept = 0
        for (place, byte) in bytes.enumerated() {
            // `->` and `=>` are not closing brackets.
            let isArrow = place > 0 && byte == UInt8(ascii: ">") && [0x2D, 0x3D].contains(bytes[place - 1])
            if byte == open {
                if depth == 0 {
                    kept = result.count
                }
                depth += 1
            } else if byte == close, depth > 0, !isArrow {
                depth -= 1
                if depth == 0 {
                    result += replacement
                    continue
                }
            }
            if depth == 0 { result.append(byte) }
        }
        // An unmatched opening bracket: remove the text after it.
        if depth > 0 { result.removeLast(result.count - kept) }
        bytes = result
    }

    /// Replaces each run of digits that directly follows one of the bytes in `marks` with `<n>`.
    mutating func replaceNumbers(after marks: Set<UInt8>) {
        var result: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if Self.isDigit(bytes[at]), at > 0, marks.contains(bytes[at - 1]) {
                while at < bytes.count, Self.isDigit(bytes[at]) { at += 1 }
                result += Array("<n>".utf8)
            } else {
                result.append(bytes[at])
                at += 1
            }
        }
        bytes = result
    }

    /// Removes the first occurrence of a word and everything after it.
    mutating func cut(at word: StaticString) {
        if let place = place(of: word) { bytes.removeLast(bytes.count - place) }
    }

    func place(of word: StaticString, from start: Int = 0) -> Int? {
        bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, start <= bytes.count,
                let found = whorl_find(base + start, bytes.count - start, word.utf8Start, word.utf8CodeUnitCount)
            else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    func has(_ word: StaticString) -> Bool { place(of: word) != nil }

    func hasPrefix(_ word: StaticString) -> Bool {
        word.utf8CodeUnitCount <= bytes.count
            && (0..<word.utf8CodeUnitCount).allSatisfy { bytes[$0] == word.utf8Start[$0] }
    }

    func hasSuffix(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        return count <= bytes.count
            && (0..<count).allSatisfy { bytes[bytes.count - count + $0] == word.utf8Start[$0] }
    }

    /// Removes the bytes at the end that satisfy the condition.
    mutating func dropSuffix(while condition: (UInt8) -> Bool) {
        while let last = bytes.last, condition(last) { bytes.removeLast() }
    }
}

extension String {
    /// Whether the text contains one of these bytes; most names contain none and need no cleaning.
    func hasByte(_ bytes: StaticString) -> Bool {
        var copy = self
        return copy.withUTF8 { text in
            for byte in text {
                for place in 0..<bytes.utf8CodeUnitCount where bytes.utf8Start[place] == byte { return true }
            }
            return false
        }
    }

    /// Whether the text contains a word; compares bytes.
    func has(_ word: String) -> Bool {
        var (text, word) = (self, word)
        return text.withUTF8 { text in
            word.withUTF8 { word in
                guard let base = text.baseAddress, let start = word.baseAddress else { return word.isEmpty }
                return whorl_find(base, text.count, start, word.count) != nil
            }
        }
    }

    func hasDigit() -> Bool { utf8.contains { $0 &- 0x30 < 10 } }
}

extension Substring {
    /// The range of the first occurrence of a word; compares bytes.
    func place(of word: StaticString) -> Range<Index>? {
        let offset = utf8.withContiguousStorageIfAvailable { bytes -> Int? in
            guard let base = bytes.baseAddress,
                let found = whorl_find(base, bytes.count, word.utf8Start, word.utf8CodeUnitCount)
            else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
        // Names are read from JSON, so their bytes are contiguous.
        guard let offset = offset ?? nil else { return nil }
        let start = utf8.index(startIndex, offsetBy: offset)
        return start..<utf8.index(start, offsetBy: word.utf8CodeUnitCount)
    }

    /// Whether the text contains a word; compares bytes.
    func has(_ word: String) -> Bool { String(self).has(word) }
}
