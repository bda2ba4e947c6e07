import WhorlProtocol

/// Replaces variable values in a message with placeholders such as `<int>` or `<uuid>`, in one pass and linear time.
///
/// Separators such as whitespace, brackets and quotes delimit words. Each word is processed once without backtracking,
/// so that no message of a sender causes slow scanning.
enum Version1MessageScanner {
    static func replaced(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        var word: [UInt8] = []
        func flush() {
            guard !word.isEmpty else { return }
            result += kind(of: word)
            word.removeAll(keepingCapacity: true)
        }
        for character in text.utf8 {
            if isSeparator(character) {
                flush()
                result.unicodeScalars.append(Unicode.Scalar(character))
            } else {
                word.append(character)
            }
        }
        flush()
        return result
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"),
            UInt8(ascii: "}"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "'"),
            UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "|"), UInt8(ascii: "`"):
            true
        default: false
        }
    }

    /// The word, or the placeholder for its kind of value; trailing punctuation is kept.
    private static func kind(of word: [UInt8]) -> String {
        var core = word[...]
        while let last = core.last, ".:!?".utf8.contains(last) { core = core.dropLast() }
        let tail = String(decoding: word[core.endIndex...], as: UTF8.self)
        let text = String(decoding: core, as: UTF8.self)
        if let kind = wholeKind(core, text) { return kind + tail }
        return numbersReplaced(core) + tail
    }

    private static func wholeKind(_ bytes: ArraySlice<UInt8>, _ text: String) -> String? {
        guard bytes.contains(where: isDigit) || text.contains("@") || text.contains("://") else { return nil }
        if let at = text.firstIndex(of: "@"), at != text.startIndex,
            text[at...].dropFirst().contains("."), text.filter({ $0 == "@" }).count == 1
        {
            return "<email>"
        }
        if text.contains("://") { return "<url>" }
        if bytes.count == 36, EventID(text) != nil { return "<uuid>" }
        let isHex = bytes.allSatisfy(isHexDigit)
        if isHex, bytes.count == 40 { return "<sha1>" }
        if isHex, bytes.count == 32 { return "<md5>" }
        if isHex, bytes.count >= 8, bytes.contains(where: { !isDigit($0) }) { return "<hex>" }
        if text.lowercased().hasPrefix("0x"), bytes.count > 2, bytes.dropFirst(2).allSatisfy(isHexDigit) {
            return "<hex>"
        }
        if AddressRule.isAddress(text) { return "<ip>" }
        if Timestamp.parse(text) != nil, text.contains("-"), bytes.count >= 10, bytes.first.map(isDigit) ?? false {
            return "<date>"
        }
        if isClock(text) { return "<date>" }
        if isDuration(text) { return "<duration>" }
        return nil
    }

    /// `12:30` or `12:30:59.123`.
    private static func isClock(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, parts.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 9 }) else {
            return false
        }
        return parts.dropLast().allSatisfy { $0.utf8.count <= 2 && $0.utf8.allSatisfy(isDigit) }
            && Double(parts[parts.count - 1]) != nil
    }

    /// A number with a time unit, such as `12ms` or `1.5s`.
    private static func isDuration(_ text: String) -> Bool {
        for unit in ["ms", "us", "µs", "ns", "sec", "secs", "min", "mins", "s", "m", "h", "d"]
        where text.hasSuffix(unit) {
            let number = text.dropLast(unit.count)
            if !number.isEmpty, number.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) { return true }
        }
        return false
    }

    /// Replaces numbers that are not part of a name with `<int>` or `<float>`: `17` in `order-17`, but not `2` in
    /// `http2`.
    private static func numbersReplaced(_ bytes: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            let before = index > bytes.startIndex ? bytes[index - 1] : nil
            guard isDigit(byte), before.map({ !isLetter($0) && $0 != UInt8(ascii: "_") }) ?? true else {
                result.append(byte)
                index += 1
                // The remaining digits of a name are copied.
                if isDigit(byte) {
                    while index < bytes.endIndex, isDigit(bytes[index]) {
                        result.append(bytes[index])
                        index += 1
                    }
                }
                continue
            }
            var end = index
            while end < bytes.endIndex, isDigit(bytes[end]) { end += 1 }
            var isFloat = false
            if end + 1 < bytes.endIndex, bytes[end] == UInt8(ascii: "."), isDigit(bytes[end + 1]) {
                isFloat = true
                end += 1
                while end < bytes.endIndex, isDigit(bytes[end]) { end += 1 }
            }
            if end < bytes.endIndex, isLetter(bytes[end]) {
                // `3rd` and `2fa` are names.
                result.append(contentsOf: bytes[index..<end])
            } else {
                // A sign at the start of the word belongs to the number.
                if let sign = result.last, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+"), result.count == 1 {
                    result.removeLast()
                }
                result.append(contentsOf: (isFloat ? "<float>" : "<int>").utf8)
            }
            index = end
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte >= 0x80
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
