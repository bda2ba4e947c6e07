/// Recognises identifiers: UUIDs, hashes, tokens.
extension ValueScanner {
    /// The end of a JSON Web Token: Base64 parts, the first of which starts with the encoding of `{"`.
    func webToken() -> Int? {
        guard bytes[at...].starts(with: "eyJ".utf8) else { return nil }
        let end = run(at, 4_096) { NameScanner.isWord($0) || ".-".utf8.contains($0) }
        return end - at > 20 ? end : nil
    }

    /// The end of a random id: a run of letters and digits that alternate often.
    func opaque() -> Int? {
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

    func uuid() -> Int? {
        guard NameScanner.isHex(bytes[at]), at + 36 <= bytes.count, isEnd(at + 36) else { return nil }
        for offset in 0..<36 {
            let isDash = bytes[at + offset] == UInt8(ascii: "-")
            guard [8, 13, 18, 23].contains(offset) ? isDash : NameScanner.isHex(bytes[at + offset]) else { return nil }
        }
        return at + 36
    }

    func prefixedHex() -> Int? {
        guard bytes[at] == UInt8(ascii: "0"), byte(at + 1) | 0x20 == UInt8(ascii: "x") else { return nil }
        let end = run(at + 2, 130, NameScanner.isHex)
        return end > at + 2 && isEnd(end) ? end : nil
    }

    func hash() -> (StaticString, Int)? {
        guard NameScanner.isHex(bytes[at]) else { return nil }
        let end = run(at, 130, NameScanner.isHex)
        let count = end - at
        // The identity hash code of a JVM object: JobImpl{Cancelled}@3f2a1b.
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
}
