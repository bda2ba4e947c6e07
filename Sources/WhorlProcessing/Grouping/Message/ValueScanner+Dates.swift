/// Recognises dates and times.
extension ValueScanner {
    // MARK: - Dates
    static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

    static let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    func word(_ start: Int) -> String {
        let end = run(start, 12) { NameScanner.isLetter($0) && $0 < 0x80 }
        return String(decoding: bytes[start..<max(start, end)], as: UTF8.self).lowercased()
    }

    func isMonth(_ word: String) -> Bool {
        word.count >= 3 && Self.months.contains(String(word.prefix(3)))
            && (word.count == 3 || word == "sept" || Self.longMonths.contains(word))
    }

    static let longMonths: Set<String> = [
        "january", "february", "march", "april", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    /// The end of a date or a time at the current position; nil if there is none.
    ///
    /// The formats are ISO, RFC 822, 850, 1123 and 3339, the format of JavaScript, `Jan 02, 1999`, `02.01.1999`, times
    /// of day and `datetime.datetime(…)` of Python.
    func date() -> Int? {
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

    /// The end of `02 Jan 2006`, `Jan 02, 2006` or `02-Jan-06`, with an optional time.
    func dayAndMonth(_ start: Int) -> Int? {
        var place = start
        var hasMonth = false
        var numbers = 0
        for _ in 0..<3 {
            if NameScanner.isDigit(byte(place)) {
                let count = digits(place)
                guard [1, 2, 4].contains(count) else { break }
                // A time follows.
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
            // Syslog pads days with a space: Jan  5.
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

    /// The end of a time and a time zone after a date, or the end of the date if there is no time.
    func clock(after end: Int) -> Int? {
        var place = end
        if byte(place) == UInt8(ascii: ",") { place += 1 }
        guard byte(place) == 0x20 || byte(place) | 0x20 == UInt8(ascii: "t") || byte(place) == UInt8(ascii: "_"),
            NameScanner.isDigit(byte(place + 1)),
            let clock = clockEnd(place + 1)
        else { return isEnd(end) ? end : nil }
        return clock
    }

    func clockEnd(_ start: Int) -> Int? {
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
        // Time zones: Z, +01:00, " +0100", " GMT", " UTC", " GMT+0100 (Central European Time)"
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
}
