/// Decides which numbers are values and which belong to the text.
extension ValueScanner {
    // MARK: - Kinds
    /// Keys in log lines whose quoted value is kept, because it contains the message.
    static let messageKeys: Set<String> = [
        "msg", "message", "err", "error", "reason", "cause", "exception", "event", "code", "op", "detail",
    ]

    /// Words that show that the number before them is a quantity and not a code.
    static let quantityWords: Set<String> = [
        "of", "rows", "row", "bytes", "items", "seconds", "minutes", "hours", "times", "files", "records", "dbm", "ms",
        "events", "users",
    ]

    // MARK: - Numbers
    static let units: Set<String> = [
        "ms", "us", "ns", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "h", "hr", "hrs", "d", "msec",
        "µs",
    ]

    static let measures: Set<String> = [
        "b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "k", "bytes", "px", "x", "hz", "mhz", "ghz", "pt", "em",
        "rem", "gi", "mi", "ki",
    ]

    /// Whether another number with a unit follows, as in 1m30.5s.
    func isCompound(_ start: Int) -> Bool {
        guard NameScanner.isDigit(byte(start)) else { return false }
        let number = run(start, 12) { NameScanner.isDigit($0) || $0 == UInt8(ascii: ".") }
        let unit = run(number, 3) { NameScanner.isLower($0) }
        return unit > number && isEnd(unit)
            && Self.units.contains(String(decoding: bytes[number..<unit], as: UTF8.self))
    }

    mutating func number(_ before: UInt8) -> Bool {
        var start = at
        if !NameScanner.isDigit(bytes[start]) {
            // A sign directly after a word or a closing bracket is an operator or a hyphen.
            guard !NameScanner.isWord(before), before != UInt8(ascii: ")"), before != UInt8(ascii: "]") else {
                return false
            }
            start += 1
        }
        let whole = digits(start)
        var end = start + whole
        var isFloat = false
        // Thousands separators: 1,234,567  1.234.567  1'234'567  1_234_567, and no-break spaces.
        if whole <= 3 {
            let mark = byte(end)
            if [0x2C, 0x2E, 0x27, 0x5F].contains(mark), digits(end + 1) == 3 {
                while byte(end) == mark, digits(end + 1) == 3 { end += 4 }
                if mark == 0x2E, end == start + whole + 4 { isFloat = true }
            } else if mark == 0xC2, byte(end + 1) == 0xA0, digits(end + 2) == 3 {
                while byte(end) == 0xC2, byte(end + 1) == 0xA0, digits(end + 2) == 3 { end += 5 }
            } else if mark == 0xE2, byte(end + 1) == 0x80, byte(end + 2) == 0xAF, digits(end + 3) == 3 {
                while byte(end) == 0xE2, digits(end + 3) == 3 { end += 6 }
            }
        }
        if byte(end) == UInt8(ascii: ".") || byte(end) == UInt8(ascii: ",") && whole > 0, digits(end + 1) > 0 {
            // `1, 2` is a list and `1,5` is a number. Versions have more than one dot.
            let fraction = digits(end + 1)
            if byte(end) == UInt8(ascii: ".") || fraction <= 2 {
                isFloat = true
                end += 1 + fraction
                while byte(end) == UInt8(ascii: "."), digits(end + 1) > 0 { end += 1 + digits(end + 1) }
            }
        }
        if byte(end) | 0x20 == UInt8(ascii: "e"),
            digits(end + 1) > 0 || [0x2B, 0x2D].contains(byte(end + 1)) && digits(end + 2) > 0
        {
            isFloat = true
            end += 1 + (digits(end + 1) > 0 ? 0 : 1)
            end += digits(end)
        }
        if end < bytes.count, NameScanner.isLetter(bytes[end]) || bytes[end] == UInt8(ascii: "_") {
            let unitEnd = run(end, 8) { NameScanner.isLetter($0) }
            let written = String(decoding: bytes[end..<unitEnd], as: UTF8.self)
            let unit = written.lowercased()
            if Self.units.contains(written), isEnd(unitEnd) || isCompound(unitEnd) {
                // 1m30.5s
                var stop = unitEnd
                while NameScanner.isDigit(byte(stop)) {
                    stop = run(stop, 12) { NameScanner.isDigit($0) || $0 == UInt8(ascii: ".") }
                    stop = run(stop, 3) { NameScanner.isLetter($0) }
                }
                put("<duration>", stop)
                return true
            }
            if Self.measures.contains(unit), isEnd(unitEnd) {
                put("<num>", end)
                return true
            }
            // `3rd` and `2fa` are names.
            let stop = run(at, 256, NameScanner.isWord)
            result += bytes[at..<max(stop, at + 1)]
            at = max(stop, at + 1)
            return true
        }
        if !isFloat, start == at || before == UInt8(ascii: "-"), isNumberKept(count: whole, end) {
            keep(end)
            return true
        }
        // x86_64 is a name.
        if before == UInt8(ascii: "_"), lastWord == Array("x86_".utf8) || whole == 1 && lastWord.count < 4 {
            keep(end)
            return true
        }
        put("<num>", end)
        return true
    }

    static let codes: Set<String> = [
        "status", "code", "errno", "error", "http", "sqlstate", "ora", "exit", "signal", "hresult", "statuscode",
        "status_code", "err", "oserror", "winerror", "errorcode", "error_code", "exitcode", "returned", "response",
    ]

    /// Whether the words around the number show that it is a code: a status, an error number, a SQLSTATE.
    func isNumberKept(count: Int, _ end: Int) -> Bool {
        guard count <= 5 else { return false }
        // `error 3 of 10`, `status 17 minutes`
        if byte(end) == 0x20 {
            let next = run(end + 1, 12) { NameScanner.isLetter($0) && $0 < 0x80 }
            if Self.quantityWords.contains(
                String(decoding: bytes[min(end + 1, bytes.count)..<max(next, min(end + 1, bytes.count))], as: UTF8.self)
            ) {
                return false
            }
        }
        if count == 3, sentenceHasStatus { return true }
        let word = String(decoding: lastWord, as: UTF8.self)
        if word == "returned" || word == "response" { return count == 3 }
        if word == "code" {
            return lastWord.isEmpty || wordBefore.isEmpty
                || Self.codes.contains(String(decoding: wordBefore, as: UTF8.self))
        }
        if Self.codes.contains(word) { return true }
        // error #2032, status: 404, "status code of 500", "code = 5"
        return (word == "of" || word == "is" || word == "was" || word == "number")
            && Self.codes.contains(String(decoding: wordBefore, as: UTF8.self))
    }
}
