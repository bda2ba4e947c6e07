/// Recognises addresses, hosts, URLs and email addresses.
extension ValueScanner {
    /// The end of a MAC address: six pairs of hexadecimal digits, or more as in certificate fingerprints.
    func hardwareAddress() -> Int? {
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

    func url() -> Int? {
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

    func mail() -> Int? {
        guard NameScanner.isWord(bytes[at]) else { return nil }
        let end = run(at, 64) { NameScanner.isWord($0) || ".%+-".utf8.contains($0) }
        guard byte(end) == UInt8(ascii: "@") else { return nil }
        var stop = run(end + 1, 255) { NameScanner.isWord($0) || ".-".utf8.contains($0) }
        while stop > end + 1, ".-".utf8.contains(bytes[stop - 1]) { stop -= 1 }
        return bytes[(end + 1)..<stop].contains(UInt8(ascii: ".")) ? stop : nil
    }

    /// The end of an IPv4 or IPv6 address; an IPv4 address may have a port.
    func address() -> Int? {
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

    static let topLevel: Set<String> = [
        "com", "org", "net", "io", "dev", "app", "cloud", "co", "ai", "de", "uk", "fr", "eu", "us", "jp", "cn", "ru",
        "br", "in", "info", "biz", "local", "internal", "lan", "svc", "edu", "gov", "ch", "nl", "se", "es", "it", "pl",
        "au", "ca", "test", "example", "invalid",
    ]

    func host() -> Int? {
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
        // The port is part of the host.
        if byte(end) == UInt8(ascii: ":"), NameScanner.isDigit(byte(end + 1)) { end += 1 + digits(end + 1) }
        return end
    }
}
