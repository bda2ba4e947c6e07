import WhorlProtocol

/// Demangles names of native code, and cleans them by the rules of their language.
enum NativeNames {
    static func function(_ name: String, _ names: DemangledNames) -> String? {
        var name = name
        if name.utf8.count <= 2 { return name }
        // Optimisers add suffixes to mangled and to demangled names.
        name = withoutOptimiserSuffix(name)
        if let readable = names[name] { name = readable }
        switch name {
        case "<redacted>", "<unknown>", "<unknown symbol>", "???", "(unknown)": return nil
        default: break
        }
        if name.utf8.starts(with: "0x".utf8), name.utf8.dropFirst(2).allSatisfy(NameScanner.isHex) { return nil }
        guard name.hasByte("<([{ #@.:$") || name.utf8.starts(with: "_".utf8) else { return name }
        let bytes = name.utf8
        if bytes.starts(with: "-[".utf8) || bytes.starts(with: "+[".utf8)
            || bytes.starts(with: "__".utf8) && name.hasByte("[")
        {
            return ObjectiveCNames.function(name)
        }
        if SwiftNames.isSwift(name) { return SwiftNames.function(name) }
        if RustNames.isRust(name) { return RustNames.function(name) }
        return CxxNames.function(name)
    }

    /// Removes suffixes such as `.cold.1`, `.part.0`, `.isra.0`, `.constprop.0`, `.llvm.123` and `.resume.0`.
    static func withoutOptimiserSuffix(_ name: String) -> String {
        guard name.hasByte(". ") else { return name }
        var text = name[...]
        let words = [
            ".cold", ".part.", ".isra.", ".constprop.", ".llvm.", ".lto_priv.", ".resume.", ".clone.", ".localalias",
            ".warm", ".hot", ".destroy", ".cleanup", "._omp_fn.",
        ]
        for word in words {
            if text.has(word), let place = text.firstRange(of: word), place.lowerBound != text.startIndex {
                text = text[..<place.lowerBound]
            }
        }
        // GCC appends the suffix to the demangled name.
        for clone in [" [clone", " (.cold", " (.isra", " (.part", " (.constprop", " (.llvm"] {
            if text.has(clone), let place = text.firstRange(of: clone) { text = text[..<place.lowerBound] }
        }
        return String(text)
    }
}
