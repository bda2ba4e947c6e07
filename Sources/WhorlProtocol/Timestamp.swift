import Foundation

/// Parses and formats times in the protocol: seconds since 1970, or RFC 3339 with the deviations that SDKs use.
public enum Timestamp {
    /// Parses a number of seconds, a number in a string, or a date and time; returns nil for other values.
    public static func parse(_ node: JSONNode) -> Date? {
        if let seconds = node.double { return date(seconds) }
        return node.string.flatMap(parse)
    }

    /// Parses `2026-11-20T10:00:00[.fraction][Z|±hh[:]mm]`, also with a space instead of `T`, a date, or a number of
    /// seconds.
    ///
    /// A missing time zone means UTC. The fraction may have any number of digits. A leap second becomes the next
    /// second.
    public static func parse(_ text: String) -> Date? {
        let bytes = Array(text.utf8.prefix(64))
        var at = 0
        func number(_ digits: Int) -> Int? {
            guard at + digits <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[at..<at + digits] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            at += digits
            return value
        }
        func pass(_ wanted: Character...) -> Bool {
            guard at < bytes.count, wanted.contains(Character(Unicode.Scalar(bytes[at]))) else { return false }
            at += 1
            return true
        }
        guard let year = number(4), pass("-"), let month = number(2), pass("-"), let day = number(2) else {
            return Double(text).flatMap(date)
        }
        guard year >= 1, (1...12).contains(month), (1...31).contains(day) else { return nil }
        var seconds = Double(daysSince1970(year, month, day)) * 86_400
        if at == bytes.count { return Date(timeIntervalSince1970: seconds) }
        guard pass("T", "t", " "), let hour = number(2), pass(":"), let minute = number(2), hour < 24, minute < 60
        else {
            return nil
        }
        seconds += Double(hour * 3_600 + minute * 60)
        if pass(":") {
            guard let second = number(2), second <= 60 else { return nil }
            seconds += Double(second)
            if pass(".", ",") {
                var scale = 0.1
                while at < bytes.count, let digit = number(1) {
                    seconds += Double(digit) * scale
                    scale /= 10
                }
            }
        }
        if at == bytes.count || pass("Z", "z") { return at == bytes.count ? Date(timeIntervalSince1970: seconds) : nil }
        guard at < bytes.count else { return nil }
        let isWest = bytes[at] == UInt8(ascii: "-")
        guard pass("+", "-"), let zoneHour = number(2) else { return nil }
        _ = pass(":")
        let zoneMinute = at < bytes.count ? number(2) : 0
        guard let zoneMinute, at == bytes.count else { return nil }
        seconds -= Double(zoneHour * 3_600 + zoneMinute * 60) * (isWest ? -1 : 1)
        return Date(timeIntervalSince1970: seconds)
    }

    /// Formats a time as `2026-11-20T10:00:00.123456Z`, the format of the Sentry API.
    public static func format(_ date: Date) -> String {
        let limit = 253_402_300_799.0  // The last second of the year 9999.
        let micros = (min(max(date.timeIntervalSince1970, -62_135_596_800), limit) * 1_000_000).rounded()
        guard let total = Int(exactly: micros) else { return "1970-01-01T00:00:00.000000Z" }
        let second = Int((Double(total) / 1_000_000).rounded(.down))
        let fraction = total - second * 1_000_000
        let days = Int((Double(second) / 86_400).rounded(.down))
        let inDay = second - days * 86_400
        let (year, month, day) = civil(days)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(inDay / 3_600, 2)):"
            + "\(padded(inDay / 60 % 60, 2)):\(padded(inDay % 60, 2)).\(padded(fraction, 6))Z"
    }

    private static func date(_ seconds: Double) -> Date? {
        // A value of about ten thousand years or more in either direction cannot be the time of an event.
        abs(seconds) < 3e11 ? Date(timeIntervalSince1970: seconds) : nil
    }

    /// The number of days from 1970-01-01 to a day of the Gregorian calendar, computed with 400-year cycles.
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
