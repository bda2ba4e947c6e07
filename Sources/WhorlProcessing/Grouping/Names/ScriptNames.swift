/// Cleans names of JavaScript, which differ between engines and, when they are minified, between builds.
enum ScriptNames {
    /// The name of the function itself, for names such as `async foo`, `new Foo`, `Object.foo` or `foo [as bar]`.
    ///
    /// Returns nil for functions without a name, such as `Foo.<anonymous>` and `foo/<`.
    static func function(_ name: String) -> String? {
        // Firefox adds the cause of an asynchronous call as a prefix: promise callback*boot.
        var text = name[(name.lastIndex(of: "*").map { name.index(after: $0) } ?? name.startIndex)...]
        if text.hasSuffix("/<") || text.hasPrefix("?anon_") { return nil }
        for prefix in ["async ", "new ", "get ", "set ", "static ", "bound "] where text.hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
        }
        if let alias = text.firstRange(of: " [as ") { text = text[..<alias.lowerBound] }
        // Firefox: outer/inner, outer/<.
        while text.hasSuffix("/<") || text.hasSuffix("</") || text.hasSuffix("*") {
            text = text.dropLast(text.hasSuffix("*") ? 1 : 2)
        }
        if let slash = text.lastIndex(of: "/") { text = text[text.index(after: slash)...] }
        if let dot = text.lastIndex(of: ".") {
            let last = text[text.index(after: dot)...]
            // Foo.<anonymous> is a function without a name in Foo.
            text = last
        }
        if text.hasPrefix("#") { text = text.dropFirst() }
        // The modules of webpack are functions that have a number as their name.
        if text.utf8.allSatisfy(NameScanner.isDigit) { return nil }
        switch text {
        case "", "?", "<anonymous>", "<anonymous function>", "Anonymous function", "anonymous", "<", "<computed>",
            "global code", "eval code", "module code", "<unknown>":
            return nil
        default: break
        }
        return text.hasPrefix("_callee") || text.hasPrefix("__webpack") ? nil : String(text)
    }

    /// Whether the name looks minified, so that it changes with the next build.
    static func isMinified(_ name: String) -> Bool {
        let count = name.utf8.count
        if count <= 2 { return true }
        // Three characters that are not all lower case or all upper case letters, or that have no vowel, are not a
        // word: `rXe`, `h2t`, `_zt`.
        guard count == 3 else { return false }
        let bytes = Array(name.utf8)
        let isPlain = bytes.allSatisfy(NameScanner.isLower) || bytes.allSatisfy(NameScanner.isUpper)
        return !isPlain || !bytes.contains { "aeiouyAEIOUY".utf8.contains($0) }
    }
}
