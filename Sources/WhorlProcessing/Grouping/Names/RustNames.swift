/// Cleans demangled names of Rust.
enum RustNames {
    static func isRust(_ name: String) -> Bool {
        let scanner = NameScanner(name)
        if scanner.bytes.count > 19, scanner.bytes.suffix(19).starts(with: "::h".utf8),
            scanner.bytes.suffix(16).allSatisfy(NameScanner.isHex)
        {
            return true
        }
        if let open = scanner.bytes.firstIndex(of: UInt8(ascii: "[")), open + 17 < scanner.bytes.count,
            scanner.bytes[open + 17] == UInt8(ascii: "]"),
            scanner.bytes[(open + 1)..<(open + 17)].allSatisfy(NameScanner.isHex)
        {
            return true
        }
        return scanner.has("<impl ") || scanner.has("{{closure}}") || scanner.has("{closure#")
            || scanner.has("{closure_env")
            || scanner.has("{impl#") || scanner.has("{{impl}}") || scanner.hasPrefix("<") && scanner.has(" as ")
            || scanner.has("::<") || scanner.hasPrefix("<") && scanner.has(">::") || scanner.has("{async_")
            || scanner.hasPrefix("core::") || scanner.hasPrefix("alloc::") || scanner.hasPrefix("tokio::")
    }

    /// The path without the hash and generic arguments; `<T as Trait>::f` keeps the type and the trait.
    static func function(_ name: String) -> String {
        var scanner = NameScanner(name)
        if scanner.bytes.count > 19, scanner.bytes.suffix(19).starts(with: "::h".utf8),
            scanner.bytes.suffix(16).allSatisfy(NameScanner.isHex)
        {
            scanner.bytes.removeLast(19)
        }
        // Crate names include a hash of the build: hooked[17d38dc8a1b2c3d4]::main.
        scanner.dropBracketed(UInt8(ascii: "["), UInt8(ascii: "]"))
        // `lease::<impl Drop for Lease>::drop` is another form of `<Lease as Drop>::drop`.
        if let start = scanner.place(of: "<impl "), let end = Self.closing(Array(scanner.bytes[start...])),
            let middle = scanner.place(of: " for ", from: start), start + 6 <= middle, middle < start + end
        {
            let trait = scanner.bytes[(start + 6)..<middle]
            let type = scanner.bytes[(middle + 5)..<(start + end)]
            scanner.bytes = [UInt8(ascii: "<")] + type + Array(" as ".utf8) + trait + scanner.bytes[(start + end)...]
        }
        var head = ""
        if scanner.hasPrefix("<"), let end = closing(scanner.bytes) {
            // <shop::Cart<T> as core::fmt::Display>::fmt, <shop::Cart<T>>::total
            var inside = NameScanner(String(decoding: scanner.bytes[1..<end], as: UTF8.self))
            inside.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
            head = inside.text.replacing(" as ", with: "|")
            while head.hasSuffix("::") { head.removeLast(2) }
            scanner.bytes.removeFirst(end + 1)
        }
        scanner.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
        var parts =
            (head.isEmpty ? [] : [head])
            + scanner.text.split(separator: "::", omittingEmptySubsequences: true).map(String.init)
        var isClosure = false
        parts.removeAll { part in
            if part.hasPrefix("{") {
                isClosure = isClosure || part.has("closure")
                return true
            }
            return false
        }
        // Closures get the name of their function, because the body of an async function and the wrapper of
        // `instrument` are closures too.
        _ = isClosure
        return parts.joined(separator: "::")
    }

    /// The position of the bracket that closes the first bracket of the name.
    private static func closing(_ bytes: [UInt8]) -> Int? {
        var depth = 0
        for (place, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "<") { depth += 1 }
            if byte == UInt8(ascii: ">"), place > 0, bytes[place - 1] != UInt8(ascii: "-") {
                depth -= 1
                if depth == 0 { return place }
            }
        }
        return nil
    }
}
