import WhorlProtocol

/// Replaces variable values in a message with placeholders for their kind, such as `<num>` or `<uuid>`.
///
/// It makes one pass: at the start of each word it tries each kind once.
/// The lookahead of a kind is limited, so that no message of a sender causes slow scanning.
struct ValueScanner {
    let bytes: [UInt8]

    var at = 0

    var result: [UInt8] = []

    /// The word before the current position, in lower case, to recognise numbers that are codes: `status code 404`.
    var lastWord: [UInt8] = []

    var wordBefore: [UInt8] = []

    /// Whether the sentence contains `status`: `status code does not indicate success: 404`.
    var sentenceHasStatus = false

    static func replaced(_ text: String) -> String {
        guard text.hasByte("0123456789@/=\\.") else { return text }
        var scanner = ValueScanner(text)
        return scanner.run()
    }

    private init(_ text: String) {
        bytes = Array(text.utf8)
        result.reserveCapacity(bytes.count)
    }

    mutating func run() -> String {
        while at < bytes.count {
            let byte = bytes[at]
            let before = at > 0 ? bytes[at - 1] : 0x20
            if !NameScanner.isWord(before) || before == UInt8(ascii: "_"), replaceValue(byte, before) {
                continue
            }
            if NameScanner.isWord(byte) {
                copyWord()
            } else {
                if byte == UInt8(ascii: ".") || byte == 0x0A { sentenceHasStatus = false }
                result.append(byte)
                at += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    static let status = Array("status".utf8)

    /// The first letters of days, months and `datetime`.
    static let dateLetters = Array("jfmasondtw".utf8)

    mutating func copyWord() {
        let start = at
        // Stops after an underscore, and before a run of five or more digits without a following letter, which is too
        // long for a name.
        while at < bytes.count, NameScanner.isWord(bytes[at]) {
            if NameScanner.isDigit(bytes[at]), at > start {
                let count = digits(at)
                let ends = at + count == bytes.count || !NameScanner.isLetter(bytes[at + count])
                if ends, count >= 5 {
                    result += bytes[start..<at]
                    put("<num>", at + count)
                    lastWord = []
                    return
                }
                at += count
                continue
            }
            at += 1
            // The part after an underscore may be a value.
            if bytes[at - 1] == UInt8(ascii: "_"), at < bytes.count, NameScanner.isWord(bytes[at]) { break }
        }
        result += bytes[start..<at]
        if wordBefore == Self.status || lastWord == Self.status { sentenceHasStatus = true }
        wordBefore = lastWord
        lastWord = bytes[start..<at].prefix(24).map { NameScanner.isUpper($0) ? $0 | 0x20 : $0 }
    }

    /// Replaces the bytes up to `end` with a placeholder.
    mutating func put(_ kind: StaticString, _ end: Int) {
        result += UnsafeBufferPointer(start: kind.utf8Start, count: kind.utf8CodeUnitCount)
        at = end
        lastWord = []
    }

    /// Tries each kind at the start of a word; returns whether one matched.
    mutating func replaceValue(_ byte: UInt8, _ before: UInt8) -> Bool {
        if before == UInt8(ascii: "="), let end = quoted() {
            put("<quoted_str>", end)
        } else if before == UInt8(ascii: "="), let end = boolean() {
            put("<bool>", end)
        } else if let end = url() {
            put("<url>", end)
        } else if let end = mail() {
            put("<email>", end)
        } else if let end = uuid() {
            put("<uuid>", end)
        } else if let end = prefixedHex() {
            if isNumberKept(count: 4, end) {
                keep(end)
            } else {
                put("<hex>", end)
            }
        } else if let end = hardwareAddress() {
            put("<mac>", end)
        } else if let end = webToken() {
            put("<jwt>", end)
        } else if let end = date() {
            put("<date>", end)
        } else if let end = address() {
            put("<ip>", end)
        } else if let (kind, end) = hash() {
            put(kind, end)
        } else if let end = opaque() {
            put("<id>", end)
        } else if let end = path(before) {
            if isFile(end) {
                put("<path>", end)
            } else {
                routes(end)
            }
        } else if let end = host() {
            put("<hostname>", end)
        } else if NameScanner.isDigit(byte)
            || [0x2B, 0x2D].contains(byte) && at + 1 < bytes.count && NameScanner.isDigit(bytes[at + 1])
        {
            return number(before)
        } else {
            return false
        }
        return true
    }

    // MARK: - Bytes
    func digits(_ start: Int) -> Int {
        var end = start
        while end < bytes.count, NameScanner.isDigit(bytes[end]) { end += 1 }
        return end - start
    }

    func run(_ start: Int, _ limit: Int, _ condition: (UInt8) -> Bool) -> Int {
        var end = start
        let bound = min(bytes.count, start + limit)
        while end < bound, condition(bytes[end]) { end += 1 }
        return end
    }

    /// Whether a word ends at a position.
    func isEnd(_ place: Int) -> Bool { place >= bytes.count || !NameScanner.isWord(bytes[place]) }

    func byte(_ place: Int) -> UInt8 { place < bytes.count ? bytes[place] : 0 }

    /// Copies the bytes up to `end` unchanged.
    mutating func keep(_ end: Int) {
        result += bytes[at..<end]
        at = end
        lastWord = []
    }

    func quoted() -> Int? {
        let quote = bytes[at]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
            !Self.messageKeys.contains(String(decoding: lastWord, as: UTF8.self))
        else { return nil }
        let end = run(at + 1, 512) { $0 != quote }
        return byte(end) == quote ? end + 1 : nil
    }

    func boolean() -> Int? {
        for word in ["true", "false", "True", "False"]
        where bytes[at...].starts(with: word.utf8) && isEnd(at + word.utf8.count) {
            return at + word.utf8.count
        }
        return nil
    }
}
