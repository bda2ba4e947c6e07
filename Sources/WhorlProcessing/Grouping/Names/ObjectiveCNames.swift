/// Cleans names of Objective-C.
enum ObjectiveCNames {
    /// The method name; `__45-[Cart total:]_block_invoke_2` becomes `-[Cart total:] block`.
    static func function(_ name: String) -> String {
        var scanner = NameScanner(name)
        guard scanner.hasPrefix("__") else {
            // Categories: -[NSString(Shop) price].
            scanner.dropBracketed(UInt8(ascii: "("), UInt8(ascii: ")"))
            return scanner.text
        }
        guard let start = scanner.bytes.firstIndex(where: { [0x2B, 0x2D].contains($0) }),
            let end = scanner.bytes.lastIndex(of: UInt8(ascii: "]")), start < end
        else { return name }
        let tail = String(decoding: scanner.bytes[(end + 1)...], as: UTF8.self)
        scanner.bytes = Array(scanner.bytes[start...end])
        scanner.dropBracketed(UInt8(ascii: "("), UInt8(ascii: ")"))
        return scanner.text + (tail.hasPrefix("_block_invoke") ? " block" : "")
    }
}
