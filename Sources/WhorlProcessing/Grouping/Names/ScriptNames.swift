/// Names of JavaScript: engines spell the same function differently, and minifiers name it anew with every build.
enum ScriptNames {
    /// `async foo`, `new Foo`, `Object.foo`, `foo [as bar]`, `Foo.<anonymous>`, `foo/<` by the function's own name; nil for
    /// those without one.
    static func function(_ name: String) -> String? {
        // Firefox names what led to an asynchronous call in front: promise callback*boot.
        var text = name[(name.lastIndex(of: "*").map { name.index(after: $0) } ?? name.startIndex)...]
        if text.hasSuffix("/<") || text.hasPrefix("?anon_") { return nil }
        for prefix in ["async ", "new ", "get ", "set ", "static ", "bound "] where text.hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
        }
        if let alias = text.firstRange(of: " [as ") { text = text[..<alias.lowerBound] }
        // Firefox: outer/inner, outer/<, and a query behind the name of a file never.
        while text.hasSuffix("/<") || text.hasSuffix("</") || text.hasSuffix("*") {
            text = text.dropLast(text.hasSuffix("*") ? 1 : 2)
        }
        if let slash = text.lastIndex(of: "/") { text = text[text.index(after: slash)...] }
        if let dot = text.lastIndex(of: ".") {
            let last = text[text.index(after: dot)...]
            // Foo.<anonymous> is a function without a name inside of Foo.
            text = last
        }
        if text.hasPrefix("#") { text = text.dropFirst() }
        // Modules of webpack are functions with a number.
        if text.utf8.allSatisfy(NameScanner.isDigit) { return nil }
        switch text {
        case "", "?", "<anonymous>", "<anonymous function>", "Anonymous function", "anonymous", "<", "<computed>",
            "global code", "eval code", "module code", "<unknown>":
            return nil
        default: break
        }
        return text.hasPrefix("_callee") || text.hasPrefix("__webpack") ? nil : String(text)
    }

    /// Whether a minifier may have made the name: it will be another one after the next build.
    static func isMinified(_ name: String) -> Bool {
        let count = name.utf8.count
        if count <= 2 { return true }
        // Three letters without a vowel or with a digit or capital in it are no word: `rXe`, `h2t`, `_zt`.
        guard count == 3 else { return false }
        let bytes = Array(name.utf8)
        let isPlain = bytes.allSatisfy(NameScanner.isLower) || bytes.allSatisfy(NameScanner.isUpper)
        return !isPlain || !bytes.contains { "aeiouyAEIOUY".utf8.contains($0) }
    }
}
