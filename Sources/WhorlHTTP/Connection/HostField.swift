/// The value of `Host`: the name or address of a host and an optional port (RFC 3986, 3.2.2; RFC 9112, 3.2).
enum HostField {
    private static let maxBytes = 300

    /// Whether a value follows the grammar with a port below 65,536; an empty value is valid.
    static func isValid(_ value: String) -> Bool {
        guard value.utf8.count <= maxBytes else { return false }
        let bytes = Array(value.utf8)
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), end > 1,
                bytes[1..<end].allSatisfy({ isHex($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else { return false }
            return isPort(bytes[(end + 1)...])
        }
        let name = bytes.prefix { $0 != UInt8(ascii: ":") }
        return isName(name) && isPort(bytes[name.endIndex...])
    }

    private static func isName(_ name: ArraySlice<UInt8>) -> Bool {
        var at = name.startIndex
        while at < name.endIndex {
            if name[at] == UInt8(ascii: "%") {
                guard at + 2 < name.endIndex, isHex(name[at + 1]), isHex(name[at + 2]),
                    name[at + 1] != UInt8(ascii: "0") || name[at + 2] != UInt8(ascii: "0")
                else { return false }
                at += 3
                continue
            }
            let isLetter = (name[at] | 0x20) &- 0x61 < 26
            guard isLetter || isDigit(name[at]) || "-._~!$&'()*+,;=".utf8.contains(name[at]) else { return false }
            at += 1
        }
        return true
    }

    /// Whether the rest is empty or a colon with an optional port number.
    private static func isPort(_ rest: ArraySlice<UInt8>) -> Bool {
        guard let first = rest.first else { return true }
        let number = rest.dropFirst()
        guard first == UInt8(ascii: ":"), number.count <= 5, number.allSatisfy(isDigit) else { return false }
        return number.reduce(0) { $0 * 10 + Int($1 & 0x0F) } <= 65_535
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    private static func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- 0x61 < 6 }
}
