/// Cleans names of Go, where closures are numbered in source order and generics contain their shape types.
enum GoNames {
    /// The function name without generated parts, for names such as `(*Server).Handle.func2.1`, `Map[...]` or
    /// `Handle-fm`.
    static func function(_ name: String) -> String {
        guard name.hasByte("[-·") || name.hasDigit() || name.hasByte("%") else { return name }
        var scanner = NameScanner(name)
        scanner.dropBracketed(UInt8(ascii: "["), UInt8(ascii: "]"))
        if scanner.hasSuffix("-fm") { scanner.bytes.removeLast(3) }
        if scanner.hasSuffix("-range1") { scanner.bytes.removeLast(7) }
        var parts = scanner.text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        // Closures: func1, 1 inside of func1, gowrap2, deferwrap1.
        var isClosure = false
        while parts.count > 1, let last = parts.last, isGenerated(last) {
            isClosure = isClosure || !last.hasPrefix("gowrap") && !last.hasPrefix("deferwrap")
            parts.removeLast()
        }
        parts = parts.filter { !isGenerated($0) || $0.isEmpty }
        return parts.joined(separator: ".") + (isClosure ? ".func" : "")
    }

    private static func isGenerated(_ part: String) -> Bool {
        let digits = part.utf8.reversed().prefix(while: NameScanner.isDigit).count
        guard digits > 0 else { return false }
        let word = part.dropLast(digits)
        return word.isEmpty || word == "func" || word == "gowrap" || word == "deferwrap" || word == "init"
            || word.hasSuffix("-range")
    }

    /// The package path without module versions.
    static func module(_ name: String) -> String {
        guard name.hasByte("@[%") || name.hasByte("v") && name.hasDigit() else { return name }
        var scanner = NameScanner(name)
        scanner.dropBracketed(UInt8(ascii: "["), UInt8(ascii: "]"))
        var parts = scanner.text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        for place in parts.indices {
            if let at = parts[place].firstIndex(of: "@") { parts[place] = String(parts[place][..<at]) }
        }
        // A major version as the last part, as in example.com/shop/v2.
        parts.removeAll { part in part.hasPrefix("v") && part.count > 1 && part.dropFirst().allSatisfy(\.isNumber) }
        return parts.joined(separator: "/")
    }
}
