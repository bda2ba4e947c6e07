import CWhorlSearch
import Glibc

/// Finds sensitive data in a text: card numbers, social security numbers, private keys, credentials in URLs and
/// headers.
///
/// If the project enables it, email addresses and IP addresses are found too.
/// The input is the raw bytes of a text without escapes, or the unescaped characters.
struct SensitiveText {
    private let removesMail: Bool
    private let removesAddresses: Bool

    init(_ settings: ScrubSettings) {
        removesMail = settings.removesMailAddresses
        removesAddresses = settings.removesAddresses
    }

    /// Whether the bytes of a whole document may contain sensitive data; a quick check with a few searches.
    func isPossible(in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if contains("-----BEGIN", in: bytes) || contains("earer ", in: bytes) || contains("asic ", in: bytes) {
            return true
        }
        // Texts with escapes need the full check.
        if removesAddresses || contains("\\/", in: bytes) || contains("\\u00", in: bytes) { return true }
        if hasUserInfo(bytes) { return true }
        return Self.hasLongNumber(bytes)
    }

    /// Whether an `@` follows `//` without a slash in between, or occurs anywhere if email addresses are removed.
    ///
    /// An escape after `//` also counts, because it may encode an `@`.
    private func hasUserInfo(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if removesMail { return contains("@", in: bytes) }
        guard let base = bytes.baseAddress else { return false }
        let scheme: StaticString = "//"
        var at = 0
        while let found = whorl_find(base + at, bytes.count - at, scheme.utf8Start, scheme.utf8CodeUnitCount) {
            at = UnsafeRawPointer(found) - UnsafeRawPointer(base) + scheme.utf8CodeUnitCount
            // The scanned bytes contain no slash, so the next search starts after them.
            while at < bytes.count, ![0x2F, 0x22, 0x20].contains(bytes[at]) {
                if bytes[at] == UInt8(ascii: "@") || bytes[at] == UInt8(ascii: "\\") { return true }
                at += 1
            }
        }
        return false
    }

    private func contains(_ word: StaticString, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        return whorl_find(base, bytes.count, word.utf8Start, word.utf8CodeUnitCount) != nil
    }

    /// Whether the bytes contain 13 digits in a row, ignoring spaces and hyphens, or 9 digits with at least 2 hyphens.
    ///
    /// Each such run is at least 11 bytes long, so that it is enough to check every 11th byte.
    private static func hasLongNumber(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var at = 10
        while at < bytes.count {
            if isDigit(bytes[at]) || isSeparator(bytes[at]) {
                var start = at
                while start > 0, isDigit(bytes[start - 1]) || isSeparator(bytes[start - 1]) { start -= 1 }
                var digits = 0
                var hyphens = 0
                var end = start
                while end < bytes.count, isDigit(bytes[end]) || isSeparator(bytes[end]) {
                    if isDigit(bytes[end]) { digits += 1 }
                    if bytes[end] == UInt8(ascii: "-") { hyphens += 1 }
                    end += 1
                }
                if digits >= 13 || digits >= 9 && hyphens >= 2 { return true }
                at = max(end, at)
            }
            at += 11
        }
        return false
    }

    /// Whether a text contains sensitive data.
    ///
    /// `urlsOnly` is for ids and versions, some of which have the form of card numbers.
    func isFound(in bytes: UnsafeBufferPointer<UInt8>, urlsOnly: Bool) -> Bool {
        // Shorter texts do not match any kind of sensitive data.
        guard bytes.count >= 6 else { return false }
        // Escapes may hide sensitive data, so the caller must check the unescaped characters.
        if let base = bytes.baseAddress, memchr(base, Int32(UInt8(ascii: "\\")), bytes.count) != nil { return true }
        for at in bytes.indices where range(in: bytes, at: at, urlsOnly) != nil { return true }
        return false
    }

    /// The ranges of sensitive data in a text, in order and without overlaps.
    func ranges(in bytes: UnsafeBufferPointer<UInt8>, urlsOnly: Bool) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var at = 0
        while at < bytes.count {
            guard let range = range(in: bytes, at: at, urlsOnly) else {
                at += 1
                continue
            }
            if let last = found.last, range.lowerBound < last.upperBound {
                found[found.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                found.append(range)
            }
            at = max(range.upperBound, at + 1)
        }
        return found
    }

    /// The range of the sensitive data that is recognised at a position; nil when there is none.
    private func range(in bytes: UnsafeBufferPointer<UInt8>, at: Int, _ urlsOnly: Bool) -> Range<Int>? {
        switch bytes[at] {
        case UInt8(ascii: ":"): userInfo(bytes, at + 1, needsPassword: false)
        case UInt8(ascii: "/"): isSchemeless(bytes, at) ? userInfo(bytes, at, needsPassword: true) : nil
        case _ where urlsOnly: nil
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            isWordStart(bytes, at) ? card(bytes, at) ?? socialSecurity(bytes, at) ?? address(bytes, at) : nil
        case UInt8(ascii: "-"): privateKey(bytes, at)
        case UInt8(ascii: "B"), UInt8(ascii: "b"): isWordStart(bytes, at) ? credentials(bytes, at) : nil
        case UInt8(ascii: "@"): removesMail ? mail(bytes, at) : nil
        default: nil
        }
    }

    // MARK: - Kinds

    /// A card number: 13 to 19 digits, optionally in groups, with an issuer prefix and a valid Luhn check digit.
    private func card(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Range<Int>? {
        // A number may start at every second byte of a text, so the digits are only counted first, without an array.
        guard (0x32...0x36).contains(bytes[start]) else { return nil }
        var digits = 0
        var two = 0
        var at = start
        var end = start
        while at < bytes.count, digits < 20 {
            if Self.isDigit(bytes[at]) {
                if digits < 2 { two = two * 10 + Int(bytes[at] & 0x0F) }
                digits += 1
                end = at + 1
            } else if !Self.isSeparator(bytes[at]) || at > end {
                break
            }
            at += 1
        }
        guard (13...19).contains(digits), end == bytes.count || !Self.isWord(bytes[end]),
            Self.isIssuer(two, digits), Self.passesLuhn(UnsafeBufferPointer(rebasing: bytes[start..<end]))
        else { return nil }
        return start..<end
    }

    /// Whether an issuer uses numbers that start with `two` and have `digits` digits.
    private static func isIssuer(_ two: Int, _ digits: Int) -> Bool {
        switch two {
        case 40...49: digits == 13 || digits == 16 || digits == 19
        case 34, 37: digits == 15
        case 30, 36, 38, 39: digits == 14
        case 22...27, 51...55: digits == 16
        case 60, 62, 64, 65: digits >= 16
        default: false
        }
    }

    private static func passesLuhn(_ number: UnsafeBufferPointer<UInt8>) -> Bool {
        var sum = 0
        var isDoubled = false
        for byte in number.reversed() where isDigit(byte) {
            let value = Int(byte & 0x0F) * (isDoubled ? 2 : 1)
            sum += value > 9 ? value - 9 : value
            isDoubled.toggle()
        }
        return sum % 10 == 0
    }

    /// A social security number of the form 123-45-6789.
    private func socialSecurity(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Range<Int>? {
        guard start + 11 <= bytes.count, start + 11 == bytes.count || !Self.isWord(bytes[start + 11]) else {
            return nil
        }
        for offset in 0..<11 {
            let isHyphen = bytes[start + offset] == UInt8(ascii: "-")
            guard offset == 3 || offset == 6 ? isHyphen : Self.isDigit(bytes[start + offset]) else { return nil }
        }
        // Valid numbers do not start with 9 or 000. Ids of the same form often do.
        guard bytes[start] != UInt8(ascii: "9"), bytes[start..<start + 3].contains(where: { $0 != UInt8(ascii: "0") })
        else { return nil }
        return start..<start + 11
    }

    /// An IPv4 address.
    private func address(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Range<Int>? {
        guard removesAddresses else { return nil }
        var at = start
        for part in 0..<4 {
            let from = at
            var value = 0
            while at < bytes.count, at - from < 3, Self.isDigit(bytes[at]) {
                value = value * 10 + Int(bytes[at] & 0x0F)
                at += 1
            }
            guard at > from, value <= 255 else { return nil }
            if part < 3 {
                guard at < bytes.count, bytes[at] == UInt8(ascii: ".") else { return nil }
                at += 1
            }
        }
        guard at == bytes.count || !Self.isWord(bytes[at]) && bytes[at] != UInt8(ascii: ".") else { return nil }
        return start..<at
    }

    /// A private key in PEM form, up to its end line or the end of the text.
    private func privateKey(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Range<Int>? {
        // Checks only the first bytes, because a text may contain the start of a key every ten bytes.
        let head = UnsafeBufferPointer(rebasing: bytes[start..<min(start + 64, bytes.count)])
        guard contains("-----BEGIN", in: UnsafeBufferPointer(rebasing: head.prefix(10))),
            contains("PRIVATE KEY", in: head)
        else { return nil }
        let rest = UnsafeBufferPointer(rebasing: bytes[start...])
        let closing: StaticString = "-----END"
        guard let base = rest.baseAddress,
            let end = whorl_find(base, rest.count, closing.utf8Start, closing.utf8CodeUnitCount)
        else { return start..<bytes.count }
        let offset = UnsafeRawPointer(end) - UnsafeRawPointer(base)
        return start..<min(start + offset + 40, bytes.count)
    }

    /// Whether the trimmer truncated the text at a position, so that the `@` after a password may be missing.
    private func isCut(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Bool {
        at == bytes.count && at >= 3 && bytes[(at - 3)...].allSatisfy { $0 == UInt8(ascii: ".") }
    }

    /// Whether the slash at a position may start a URL without a scheme.
    private func isSchemeless(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Bool {
        guard at > 0 else { return true }
        let before = bytes[at - 1]
        return !Self.isWord(before) && ![0x2F, 0x3A, 0x5C].contains(before)
    }

    /// The position after the slash at `start`; backslashes before the slash are skipped, because a text may quote
    /// JSON.
    private func afterSlash(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int? {
        var at = start
        while at < bytes.count, at - start < 3, bytes[at] == UInt8(ascii: "\\") { at += 1 }
        return at < bytes.count && bytes[at] == UInt8(ascii: "/") ? at + 1 : nil
    }

    /// The user information of a URL, between the two slashes at `slashes` and `@`: a user, or a user and a password.
    private func userInfo(
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ slashes: Int,
        needsPassword: Bool
    ) -> Range<Int>? {
        guard let second = afterSlash(bytes, slashes), let start = afterSlash(bytes, second) else { return nil }
        var at = start
        var end: Int?
        var hasPassword = !needsPassword
        var colon: Int?
        // The user information ends at the last `@` of the authority, as in URL parsers.
        scan: while at < bytes.count, at - start < 512 {
            switch bytes[at] {
            case UInt8(ascii: "@"): end = at
            case UInt8(ascii: ":") where end == nil:
                hasPassword = true
                colon = colon ?? at
            case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "\\"), 0...0x20: break scan
            // A text may quote JSON or markup. These characters are not valid in an authority (RFC 3986, 3.2).
            case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"): break scan
            case UInt8(ascii: "'"), UInt8(ascii: ","), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["),
                UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"):
                if needsPassword { break scan }
            default: break
            }
            at += 1
        }
        if end == nil, let colon, isCut(bytes, at),
            !bytes[(colon + 1)..<at].allSatisfy({ Self.isDigit($0) || $0 == 0x2E })
        {
            return start..<at
        }
        guard let end, end > start, hasPassword else { return nil }
        return start..<end
    }

    /// A credential of at least 8 characters after `Bearer ` or `Basic `.
    private func credentials(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Range<Int>? {
        for word in ["bearer ", "basic "] as [StaticString] {
            let count = word.utf8CodeUnitCount
            guard start + count < bytes.count,
                (0..<count).allSatisfy({ bytes[start + $0] | 0x20 == word.utf8Start[$0] })
            else { continue }
            var at = start + count
            while at < bytes.count, Self.isCredential(bytes[at]) { at += 1 }
            if at - start - count >= 8 { return start + count..<at }
        }
        return nil
    }

    private func mail(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Range<Int>? {
        var start = at
        while start > 0, at - start < 64, Self.isMail(bytes[start - 1]) { start -= 1 }
        var end = at + 1
        var hasDot = false
        while end < bytes.count, end - at < 255, Self.isWord(bytes[end]) || [0x2D, 0x2E].contains(bytes[end]) {
            if bytes[end] == UInt8(ascii: ".") { hasDot = true }
            end += 1
        }
        return start < at && hasDot ? start..<end : nil
    }

    // MARK: - Character classes

    private func isWordStart(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Bool {
        at == 0 || !Self.isWord(bytes[at - 1]) && bytes[at - 1] != UInt8(ascii: ".")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    private static func isSeparator(_ byte: UInt8) -> Bool { byte == 0x20 || byte == UInt8(ascii: "-") }
    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
    }
    private static func isMail(_ byte: UInt8) -> Bool { isWord(byte) || [0x2B, 0x2D, 0x2E, 0x25].contains(byte) }
    private static func isCredential(_ byte: UInt8) -> Bool {
        isWord(byte) || [0x2B, 0x2D, 0x2E, 0x2F, 0x3D, 0x7E].contains(byte)
    }
}
