import WhorlProtocol

/// Replaces what varies in a message by its kind, as `<int>` or `<uuid>`.
///
/// One pass: at the start of each word every kind is tried once, none looks further than a fixed number of bytes, and none
/// is tried again at the same place. So no text of a sender can make it slow.
struct ValueScanner {
    private let bytes: [UInt8]
    private var at = 0
    private var result: [UInt8] = []
    /// The words before the place, in lower case, for numbers that are names: `status code 404`.
    private var lastWord: [UInt8] = []
    private var wordBefore: [UInt8] = []
    /// Whether the sentence speaks of a status: `status code does not indicate success: 404`.
    private var sentenceHasStatus = false

    static func replaced(_ text: String) -> String {
        guard text.hasByte("0123456789@/=\\.") else { return text }
        var scanner = ValueScanner(text)
        return scanner.run()
    }

    private init(_ text: String) {
        bytes = Array(text.utf8)
        result.reserveCapacity(bytes.count)
    }

    private mutating func run() -> String {
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

    private static let status = Array("status".utf8)
    /// The first letters of days, months and `datetime`.
    private static let dateLetters = Array("jfmasondtw".utf8)

    private mutating func copyWord() {
        let start = at
        // Up to the digits that a dash or an underscore sets apart, or that are too many for a name.
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
            // What stands behind an underscore may be a value.
            if bytes[at - 1] == UInt8(ascii: "_"), at < bytes.count, NameScanner.isWord(bytes[at]) { break }
        }
        result += bytes[start..<at]
        if wordBefore == Self.status || lastWord == Self.status { sentenceHasStatus = true }
        wordBefore = lastWord
        lastWord = bytes[start..<at].prefix(24).map { NameScanner.isUpper($0) ? $0 | 0x20 : $0 }
    }

    /// Puts a kind in the place of everything up to an end.
    private mutating func put(_ kind: StaticString, _ end: Int) {
        result += UnsafeBufferPointer(start: kind.utf8Start, count: kind.utf8CodeUnitCount)
        at = end
        lastWord = []
    }

    /// Tries every kind at the start of a word.
    private mutating func replaceValue(_ byte: UInt8, _ before: UInt8) -> Bool {
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

    private func digits(_ start: Int) -> Int {
        var end = start
        while end < bytes.count, NameScanner.isDigit(bytes[end]) { end += 1 }
        return end - start
    }

    private func run(_ start: Int, _ limit: Int, _ condition: (UInt8) -> Bool) -> Int {
        var end = start
        let bound = min(bytes.count, start + limit)
        while end < bound, condition(bytes[end]) { end += 1 }
        return end
    }

    /// Whether a word ends at a place.
    private func isEnd(_ place: Int) -> Bool { place >= bytes.count || !NameScanner.isWord(bytes[place]) }

    private func byte(_ place: Int) -> UInt8 { place < bytes.count ? bytes[place] : 0 }

    // MARK: - Kinds

    /// Members of log lines that hold the message itself.
    private static let telling: Set<String> = [
        "msg", "message", "err", "error", "reason", "cause", "exception", "event", "code", "op", "detail",
    ]

    /// Words after which a number counts things and is no code.
    private static let counted: Set<String> = [
        "of", "rows", "row", "bytes", "items", "seconds", "minutes", "hours", "times", "files", "records", "dbm", "ms",
        "events", "users",
    ]

    /// Copies bytes as they are.
    private mutating func keep(_ end: Int) {
        result += bytes[at..<end]
        at = end
        lastWord = []
    }

    /// Six pairs of hexadecimal digits, or more as in fingerprints of certificates.
    private func hardwareAddress() -> Int? {
        var end = at
        var pairs = 0
        while end + 2 <= bytes.count, NameScanner.isHex(bytes[end]), NameScanner.isHex(bytes[end + 1]) {
            pairs += 1
            end += 2
            guard byte(end) == UInt8(ascii: ":") || byte(end) == UInt8(ascii: "-"), pairs < 64 else { break }
            end += 1
        }
        return pairs >= 6 && isEnd(end) ? end : nil
    }

    /// A token of three parts in base 64, the first of which begins as JSON does.
    private func webToken() -> Int? {
        guard bytes[at...].starts(with: "eyJ".utf8) else { return nil }
        let end = run(at, 4_096) { NameScanner.isWord($0) || ".-".utf8.contains($0) }
        return end - at > 20 ? end : nil
    }

    /// A run of letters and digits that change places often, as random ids have it and words do not.
    private func opaque() -> Int? {
        let end = run(at, 128) { NameScanner.isDigit($0) || NameScanner.isLetter($0) && $0 < 0x80 }
        guard end - at >= 14, isEnd(end) || byte(end) == UInt8(ascii: "_") else { return nil }
        var digits = 0
        var changes = 0
        for place in at..<end {
            let isDigit = NameScanner.isDigit(bytes[place])
            if isDigit { digits += 1 }
            if place > at, isDigit != NameScanner.isDigit(bytes[place - 1]) { changes += 1 }
        }
        return digits >= 2 && changes >= 4 ? end : nil
    }

    private static let roots: Set<String> = [
        "home", "Users", "var", "tmp", "srv", "opt", "usr", "etc", "app", "mnt", "data", "root", "private", "workspace",
        "build", "builds", "run", "dev", "proc", "bin", "lib", "Library", "Applications", "storage", "code", "www",
    ]

    /// Whether a path is one of files rather than of a site: by its root, its drive, or the ending of its last part.
    private func isFile(_ end: Int) -> Bool {
        let parts = bytes[at..<end].split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        if bytes[at] == UInt8(ascii: "~") || byte(at + 1) == UInt8(ascii: ":") { return true }
        guard bytes[at] == UInt8(ascii: "/"), let first = parts.first, let last = parts.last else { return false }
        return Self.roots.contains(String(decoding: first, as: UTF8.self)) || last.contains(UInt8(ascii: "."))
    }

    /// Copies a path of a site, its parts that are numbers, hashes or ids replaced.
    private mutating func routes(_ end: Int) {
        var part: [UInt8] = []
        func flush() {
            let digits = part.count(where: NameScanner.isDigit)
            let isValue = digits > 0 && (digits == part.count || part.count >= 6 && digits >= 2)
            result += isValue ? Array("<num>".utf8) : part
            part = []
        }
        for byte in bytes[at..<end] {
            if byte == UInt8(ascii: "/") {
                flush()
                result.append(byte)
            } else {
                part.append(byte)
            }
        }
        flush()
        at = end
        lastWord = []
    }

    private func quoted() -> Int? {
        let quote = bytes[at]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
            !Self.telling.contains(String(decoding: lastWord, as: UTF8.self))
        else { return nil }
        let end = run(at + 1, 512) { $0 != quote }
        return byte(end) == quote ? end + 1 : nil
    }

    private func boolean() -> Int? {
        for word in ["true", "false", "True", "False"]
        where bytes[at...].starts(with: word.utf8) && isEnd(at + word.utf8.count) {
            return at + word.utf8.count
        }
        return nil
    }

    private func url() -> Int? {
        guard NameScanner.isLetter(bytes[at]) else { return nil }
        let scheme = run(at, 16) { NameScanner.isWord($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
        guard byte(scheme) == UInt8(ascii: ":"), byte(scheme + 1) == UInt8(ascii: "/"),
            byte(scheme + 2) == UInt8(ascii: "/")
        else { return nil }
        var end = run(scheme + 3, 2_048) { byte in
            byte > 0x20 && byte != 0x7F && !"\"'<>()[]{}|`,;".utf8.contains(byte)
        }
        while end > scheme + 3, ".:!?".utf8.contains(bytes[end - 1]) { end -= 1 }
        return end > scheme + 3 ? end : nil
    }

    private func mail() -> Int? {
        guard NameScanner.isWord(bytes[at]) else { return nil }
        let end = run(at, 64) { NameScanner.isWord($0) || ".%+-".utf8.contains($0) }
        guard byte(end) == UInt8(ascii: "@") else { return nil }
        var stop = run(end + 1, 255) { NameScanner.isWord($0) || ".-".utf8.contains($0) }
        while stop > end + 1, ".-".utf8.contains(bytes[stop - 1]) { stop -= 1 }
        return bytes[(end + 1)..<stop].contains(UInt8(ascii: ".")) ? stop : nil
    }

    private func uuid() -> Int? {
        guard NameScanner.isHex(bytes[at]), at + 36 <= bytes.count, isEnd(at + 36) else { return nil }
        for offset in 0..<36 {
            let isDash = bytes[at + offset] == UInt8(ascii: "-")
            guard [8, 13, 18, 23].contains(offset) ? isDash : NameScanner.isHex(bytes[at + offset]) else { return nil }
        }
        return at + 36
    }

    private func prefixedHex() -> Int? {
        guard bytes[at] == UInt8(ascii: "0"), byte(at + 1) | 0x20 == UInt8(ascii: "x") else { return nil }
        let end = run(at + 2, 130, NameScanner.isHex)
        return end > at + 2 && isEnd(end) ? end : nil
    }

    private func hash() -> (StaticString, Int)? {
        guard NameScanner.isHex(bytes[at]) else { return nil }
        let end = run(at, 130, NameScanner.isHex)
        let count = end - at
        // The number by which the JVM tells objects apart: JobImpl{Cancelled}@3f2a1b.
        if at > 0, bytes[at - 1] == UInt8(ascii: "@"), (4...8).contains(count), isEnd(end) { return ("<hex>", end) }
        guard count >= 7, isEnd(end) else { return nil }
        let run = bytes[at..<end]
        let hasDigit = run.contains(where: NameScanner.isDigit)
        let hasLower = run.contains { NameScanner.isLower($0) }
        let hasUpper = run.contains { NameScanner.isUpper($0) }
        guard hasDigit, hasLower != hasUpper else { return nil }
        switch count {
        case 40: return ("<sha1>", end)
        case 32: return ("<md5>", end)
        case 64: return ("<sha256>", end)
        case 7: return hasLower ? ("<git_sha>", end) : nil
        default: return count <= 128 ? ("<hex>", end) : nil
        }
    }

    /// Versions 4 and 6, with a port behind.
    private func address() -> Int? {
        guard NameScanner.isHex(bytes[at]) || bytes[at] == UInt8(ascii: ":") else { return nil }
        var end = run(at, 45) { NameScanner.isHex($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        while end > at, [UInt8(ascii: "."), UInt8(ascii: ":")].contains(bytes[end - 1]), end - at > 2,
            bytes[end - 2] != UInt8(ascii: ":")
        { end -= 1 }
        let run = bytes[at..<end]
        let dots = run.count { $0 == UInt8(ascii: ".") }
        let colons = run.count { $0 == UInt8(ascii: ":") }
        guard dots == 3 || colons >= 2, isEnd(end) else { return nil }
        if dots == 3, colons <= 1 {
            let host = run.prefix { $0 != UInt8(ascii: ":") }
            let parts = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            guard parts.count == 4,
                parts.allSatisfy({
                    (1...3).contains($0.count) && $0.allSatisfy(NameScanner.isDigit)
                        && (Int(String(decoding: $0, as: UTF8.self)) ?? 256) < 256
                })
            else { return nil }
            return end
        }
        return AddressRule.isAddress(String(decoding: run, as: UTF8.self)) ? end : nil
    }

    /// `/srv/app/config.yml`, `./x/y`, `~/x`, `C:\data\x`: two parts at least.
    private func path(_ before: UInt8) -> Int? {
        var start = at
        if NameScanner.isLetter(bytes[at]), byte(at + 1) == UInt8(ascii: ":"), byte(at + 2) == UInt8(ascii: "\\") {
            start = at + 2
        } else if bytes[at] == UInt8(ascii: "."), byte(at + 1) == UInt8(ascii: "/") {
            start = at + 1
        } else if bytes[at] == UInt8(ascii: "~"), byte(at + 1) == UInt8(ascii: "/") {
            start = at + 1
        } else if bytes[at] != UInt8(ascii: "/") || before == UInt8(ascii: "/") || before == UInt8(ascii: ">") {
            return nil
        }
        var separators = 0
        var end = start
        let bound = min(bytes.count, start + 1_024)
        while end < bound {
            let byte = bytes[end]
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
                separators += 1
            } else if !(NameScanner.isWord(byte) || ".-+@~%#$:".utf8.contains(byte)) {
                break
            }
            end += 1
        }
        while end > start, ".:".utf8.contains(bytes[end - 1]) { end -= 1 }
        return separators >= 2 && end - start > 4 ? end : nil
    }

    private static let topLevel: Set<String> = [
        "com", "org", "net", "io", "dev", "app", "cloud", "co", "ai", "de", "uk", "fr", "eu", "us", "jp", "cn", "ru",
        "br", "in", "info", "biz", "local", "internal", "lan", "svc", "edu", "gov", "ch", "nl", "se", "es", "it", "pl",
        "au", "ca", "test", "example", "invalid",
    ]

    private func host() -> Int? {
        guard NameScanner.isWord(bytes[at]) else { return nil }
        var end = run(at, 253) {
            NameScanner.isWord($0) && $0 < 0x80 && $0 != UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
                || $0 == UInt8(ascii: "-")
        }
        while end > at, ".-".utf8.contains(bytes[end - 1]) { end -= 1 }
        guard isEnd(end) else { return nil }
        let name = bytes[at..<end]
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        var isHost = parts.count >= 2 && parts.allSatisfy { !$0.isEmpty && !$0.contains(where: NameScanner.isUpper) }
        if isHost, let last = parts.last { isHost = Self.topLevel.contains(String(decoding: last, as: UTF8.self)) }
        let isLocal = name.elementsEqual("localhost".utf8)
        guard isHost && name.count >= 6 || isLocal else { return nil }
        // With its port.
        if byte(end) == UInt8(ascii: ":"), NameScanner.isDigit(byte(end + 1)) { end += 1 + digits(end + 1) }
        return end
    }

    // MARK: - Dates

    private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    private static let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    private func word(_ start: Int) -> String {
        let end = run(start, 12) { NameScanner.isLetter($0) && $0 < 0x80 }
        return String(decoding: bytes[start..<max(start, end)], as: UTF8.self).lowercased()
    }

    private func isMonth(_ word: String) -> Bool {
        word.count >= 3 && Self.months.contains(String(word.prefix(3)))
            && (word.count == 3 || word == "sept" || Self.longMonths.contains(word))
    }
    private static let longMonths: Set<String> = [
        "january", "february", "march", "april", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    /// ISO, RFC 822, 850, 1123 and 3339, JavaScript's own, `Jan 02, 1999`, `02.01.1999`, clocks, Python's `datetime.datetime(…)`.
    private func date() -> Int? {
        let first = bytes[at]
        if NameScanner.isLetter(first) {
            guard Self.dateLetters.contains(first | 0x20) else { return nil }
            if bytes[at...].starts(with: "datetime.datetime(".utf8) {
                let end = run(at + 18, 120) { $0 != UInt8(ascii: ")") }
                return byte(end) == UInt8(ascii: ")") ? end + 1 : nil
            }
            let name = word(at)
            if name.count >= 3, Self.days.contains(String(name.prefix(3))), name.count == 3 || name.hasSuffix("day") {
                // Mon, 02 Jan 2006 15:04:05 GMT; Mon Jan 02 2006 15:04:05 GMT+0100 (…)
                var place = at + name.utf8.count
                if byte(place) == UInt8(ascii: ",") { place += 1 }
                guard byte(place) == 0x20, let end = dayAndMonth(place + 1) else { return nil }
                return end
            }
            return isMonth(name) ? dayAndMonth(at) : nil
        }
        guard NameScanner.isDigit(first) else { return nil }
        let count = digits(at)
        let mark = byte(at + count)
        if count == 4, mark == UInt8(ascii: "-") || mark == UInt8(ascii: "/"),
            digits(at + 5) == 2 || digits(at + 5) == 1
        {
            let month = digits(at + 5)
            let second = at + 5 + month
            guard byte(second) == mark else { return nil }
            let day = digits(second + 1)
            guard (1...2).contains(day) else { return nil }
            return clock(after: second + 1 + day)
        }
        if count <= 2, mark == UInt8(ascii: "/") || mark == UInt8(ascii: "."), (1...2).contains(digits(at + count + 1))
        {
            let second = at + count + 1 + digits(at + count + 1)
            guard byte(second) == mark, [2, 4].contains(digits(second + 1)), isEnd(second + 1 + digits(second + 1)),
                byte(second + 1 + digits(second + 1)) != mark
            else { return nil }
            if mark == UInt8(ascii: "."), digits(second + 1) != 4 { return nil }
            return clock(after: second + 1 + digits(second + 1))
        }
        if count <= 2, mark == 0x20 || mark == UInt8(ascii: "-"), isMonth(word(at + count + 1)) {
            return dayAndMonth(at)
        }
        if count <= 2, mark == UInt8(ascii: ":") { return clockEnd(at) }
        return nil
    }

    /// `02 Jan 2006`, `Jan 02, 2006`, `02-Jan-06`, with a clock behind.
    private func dayAndMonth(_ start: Int) -> Int? {
        var place = start
        var hasMonth = false
        var numbers = 0
        for _ in 0..<3 {
            if NameScanner.isDigit(byte(place)) {
                let count = digits(place)
                guard [1, 2, 4].contains(count) else { break }
                // A clock follows.
                if byte(place + count) == UInt8(ascii: ":") { break }
                numbers += 1
                place += count
            } else if !hasMonth, isMonth(word(place)) {
                hasMonth = true
                place += word(place).utf8.count
            } else {
                break
            }
            let isComma = byte(place) == UInt8(ascii: ",")
            // The log of systems pads days with a blank: Jan  5.
            let next = place + (isComma ? 1 : 0) + (byte(place) == 0x20 && byte(place + 1) == 0x20 ? 1 : 0)
            guard byte(next) == 0x20 || byte(next) == UInt8(ascii: "-"), NameScanner.isWord(byte(next + 1)) else {
                break
            }
            let isPart = NameScanner.isDigit(byte(next + 1)) || !hasMonth && isMonth(word(next + 1))
            guard isPart, numbers + (hasMonth ? 1 : 0) < 3 else { break }
            if numbers + (hasMonth ? 1 : 0) == 2, digits(next + 1) > 0,
                byte(next + 1 + digits(next + 1)) == UInt8(ascii: ":")
            {
                break
            }
            place = next + 1
        }
        guard hasMonth, numbers >= 1 else { return nil }
        return clock(after: place)
    }

    /// The end of a clock and a zone behind a date, or of the date where there is none.
    private func clock(after end: Int) -> Int? {
        var place = end
        if byte(place) == UInt8(ascii: ",") { place += 1 }
        guard byte(place) == 0x20 || byte(place) | 0x20 == UInt8(ascii: "t") || byte(place) == UInt8(ascii: "_"),
            NameScanner.isDigit(byte(place + 1)),
            let clock = clockEnd(place + 1)
        else { return isEnd(end) ? end : nil }
        return clock
    }

    private func clockEnd(_ start: Int) -> Int? {
        guard (1...2).contains(digits(start)) else { return nil }
        var place = start + digits(start)
        guard byte(place) == UInt8(ascii: ":"), digits(place + 1) == 2 else { return nil }
        place += 3
        if byte(place) == UInt8(ascii: ":"), digits(place + 1) == 2 {
            place += 3
            if byte(place) == UInt8(ascii: ".") || byte(place) == UInt8(ascii: ","), digits(place + 1) > 0 {
                place += 1 + digits(place + 1)
            }
        }
        for half in [" AM", " PM", "AM", "PM", " am", " pm", "am", "pm"]
        where bytes[place...].starts(with: half.utf8) && isEnd(place + half.utf8.count) {
            place += half.utf8.count
        }
        // Zones: Z, +01:00, " +0100", " GMT", " UTC", " GMT+0100 (Central European Time)"
        if byte(place) == UInt8(ascii: "Z"), isEnd(place + 1) { return place + 1 }
        var zone = place
        if byte(zone) == 0x20 { zone += 1 }
        for name in ["GMT", "UTC", "CET", "CEST", "EST", "EDT", "PST", "PDT", "MSK", "Z"]
        where bytes[min(zone, bytes.count)...].starts(with: name.utf8) {
            zone += name.utf8.count
            place = zone
        }
        if byte(zone) == UInt8(ascii: "+") || byte(zone) == UInt8(ascii: "-"), [2, 4].contains(digits(zone + 1)) {
            zone += 1 + digits(zone + 1)
            if byte(zone) == UInt8(ascii: ":"), digits(zone + 1) == 2 { zone += 3 }
            place = zone
            if bytes[min(place, bytes.count)...].starts(with: " (".utf8) {
                let end = run(place + 2, 60) { $0 != UInt8(ascii: ")") }
                if byte(end) == UInt8(ascii: ")") { place = end + 1 }
            }
        }
        return isEnd(place) ? place : nil
    }

    // MARK: - Numbers

    private static let units: Set<String> = [
        "ms", "us", "ns", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "h", "hr", "hrs", "d", "msec",
        "µs",
    ]
    private static let measures: Set<String> = [
        "b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "k", "bytes", "px", "x", "hz", "mhz", "ghz", "pt", "em",
        "rem", "gi", "mi", "ki",
    ]

    /// Whether another number with its unit follows, as in 1m30.5s.
    private func isCompound(_ start: Int) -> Bool {
        guard NameScanner.isDigit(byte(start)) else { return false }
        let number = run(start, 12) { NameScanner.isDigit($0) || $0 == UInt8(ascii: ".") }
        let unit = run(number, 3) { NameScanner.isLower($0) }
        return unit > number && isEnd(unit)
            && Self.units.contains(String(decoding: bytes[number..<unit], as: UTF8.self))
    }

    private mutating func number(_ before: UInt8) -> Bool {
        var start = at
        if !NameScanner.isDigit(bytes[start]) {
            // A sign that joins two words is none.
            guard !NameScanner.isWord(before), before != UInt8(ascii: ")"), before != UInt8(ascii: "]") else {
                return false
            }
            start += 1
        }
        let whole = digits(start)
        var end = start + whole
        var isFloat = false
        // Thousands in groups of three: 1,234,567  1.234.567  1'234'567  1_234_567, and with blanks that do not break.
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
            // `1, 2` is a list, `1,5` a number; versions have more dots.
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

    private static let codes: Set<String> = [
        "status", "code", "errno", "error", "http", "sqlstate", "ora", "exit", "signal", "hresult", "statuscode",
        "status_code", "err", "oserror", "winerror", "errorcode", "error_code", "exitcode", "returned", "response",
    ]

    /// Whether the number is a name by what stands before it: a status, an error number, a SQLSTATE.
    private func isNumberKept(count: Int, _ end: Int) -> Bool {
        guard count <= 5 else { return false }
        // `error 3 of 10`, `status 17 minutes`
        if byte(end) == 0x20 {
            let next = run(end + 1, 12) { NameScanner.isLetter($0) && $0 < 0x80 }
            if Self.counted.contains(
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
