/// Demangles names of Rust.
///
/// The legacy form (`_ZN…17h0123456789abcdefE`) is demangled completely.
/// Of the newer form (`_R…`, RFC 2603), the result is the path without its generic arguments.
enum RustMangling {
    /// Whether a name in C++ mangling contains the hash of Rust.
    static func isLegacy(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let start = NameScanner(name).place(of: "17h"), bytes.count >= start + 20 else { return false }
        return bytes[(start + 3)..<(start + 19)].allSatisfy(NameScanner.isHex) && bytes[start + 19] == UInt8(ascii: "E")
    }

    static func demangled(_ name: String) -> String? {
        name.hasPrefix("_R") ? current(Array(name.utf8)) : legacy(Array(name.utf8))
    }

    /// Demangles the legacy form: each part follows its length, and escapes such as `$LT$` encode punctuation.
    private static func legacy(_ bytes: [UInt8]) -> String? {
        var parts: [String] = []
        var at = 3
        while at < bytes.count, bytes[at] != UInt8(ascii: "E") {
            guard let (length, start) = number(bytes, at), length > 0, start + length <= bytes.count else { return nil }
            parts.append(unescaped(bytes[start..<start + length]))
            at = start + length
        }
        // The hash depends on the build.
        if let last = parts.last, last.hasPrefix("h"), last.utf8.count == 17 { parts.removeLast() }
        return parts.isEmpty ? nil : parts.joined(separator: "::")
    }

    private static let signs: [(String, String)] = [
        ("$SP$", "@"), ("$BP$", "*"), ("$RF$", "&"), ("$LT$", "<"), ("$GT$", ">"), ("$LP$", "("), ("$RP$", ")"),
        ("$C$", ","), ("$u7e$", "~"), ("$u20$", " "), ("$u27$", "'"), ("$u5b$", "["), ("$u5d$", "]"), ("$u7b$", "{"),
        ("$u7d$", "}"), ("$u3b$", ";"), ("$u2b$", "+"), ("$u22$", "\""), ("..", "::"),
    ]

    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String(decoding: bytes, as: UTF8.self)
        if text.hasPrefix("_$") { text.removeFirst() }
        guard text.hasByte("$.") else { return text }
        for (escape, sign) in signs { text = text.replacing(escape, with: sign) }
        return text
    }

    /// Demangles the newer form: the namespace tags come outermost first, and the identifiers come innermost first.
    private static func current(_ bytes: [UInt8]) -> String? {
        var at = 2
        // Nv, Nt, NC…: nested in a namespace; C: a crate; M, X, Y: implementations, whose type is parsed as a path.
        var pending: [UInt8] = []
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "N"):
                guard at + 1 < bytes.count else { return nil }
                pending.append(bytes[at + 1])
                at += 2
            case UInt8(ascii: "I"): at += 1
            case UInt8(ascii: "M"), UInt8(ascii: "X"), UInt8(ascii: "Y"):
                at += 1
                if at < bytes.count, bytes[at] == UInt8(ascii: "s") { skipNumber62(bytes, &at) }
            case UInt8(ascii: "C"):
                at += 1
                guard var path = identifier(bytes, &at) else { return nil }
                for space in pending.reversed() {
                    guard at < bytes.count else { break }
                    // Other parts between the identifiers, such as the type of an implementation, are left out.
                    if space == UInt8(ascii: "C") {
                        _ = identifier(bytes, &at)
                        path += "::{{closure}}"
                    } else if let name = identifier(bytes, &at) {
                        path += "::" + name
                    } else {
                        break
                    }
                }
                return path
            default: return nil
            }
        }
        return nil
    }

    private static func skipNumber62(_ bytes: [UInt8], _ at: inout Int) {
        while at < bytes.count, bytes[at] != UInt8(ascii: "_") { at += 1 }
        if at < bytes.count { at += 1 }
    }

    private static func identifier(_ bytes: [UInt8], _ at: inout Int) -> String? {
        if at < bytes.count, bytes[at] == UInt8(ascii: "s") { skipNumber62(bytes, &at) }
        if at < bytes.count, bytes[at] == UInt8(ascii: "u") { at += 1 }
        guard let (length, start) = number(bytes, at) else { return nil }
        var begin = start
        if begin < bytes.count, bytes[begin] == UInt8(ascii: "_") { begin += 1 }
        guard begin + length <= bytes.count else { return nil }
        at = begin + length
        return String(decoding: bytes[begin..<begin + length], as: UTF8.self)
    }

    private static func number(_ bytes: [UInt8], _ start: Int) -> (Int, Int)? {
        var at = start
        var value = 0
        while at < bytes.count, NameScanner.isDigit(bytes[at]) {
            value = value * 10 + Int(bytes[at] & 0x0F)
            guard value <= 4_096 else { return nil }
            at += 1
        }
        return at > start ? (value, at) : nil
    }
}
