/// Cleans demangled names of C++ and C.
enum CxxNames {
    /// The qualified function name without arguments and numbers of lambdas.
    ///
    /// `shop::Cart<int>::total(std::__1::vector<int> const&) const` becomes `shop::Cart::total`.
    static func function(_ name: String) -> String {
        var text = name
        for space in anonymous where text.has(space) {
            text = text.replacing(space, with: "{anonymous}")
        }
        // GCC: f()::{lambda(int)#1}::operator()(int) const; Clang: f()::$_0::operator()(int) const; MSVC: <lambda_abc>.
        text = lambdas(text)
        for clause in [" requires ", " [with "] where text.has(clause) {
            text = text.firstRange(of: clause).map { String(text[..<$0.lowerBound]) } ?? text
        }
        var scanner = NameScanner(text)
        for suffix: StaticString in [" __ptr64", "__ptr64"] where scanner.hasSuffix(suffix) {
            scanner.bytes.removeLast(suffix.utf8CodeUnitCount)
        }
        let isOperator = scanner.has("operator")
        if isOperator { scanner.protectOperators() }
        scanner.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
        scanner.dropBracketed(UInt8(ascii: "["), UInt8(ascii: "]"))
        scanner.dropBracketed(UInt8(ascii: "("), UInt8(ascii: ")"))
        for suffix: StaticString in ["const", " const", " volatile", " &&", " &", " noexcept", " const"]
        where scanner.hasSuffix(suffix) {
            scanner.bytes.removeLast(suffix.utf8CodeUnitCount)
        }
        scanner.dropSuffix { $0 == 0x20 }
        // Demangled function templates start with their return type.
        if !isOperator, let blank = scanner.bytes.lastIndex(of: 0x20) { scanner.bytes.removeFirst(blank + 1) }
        while let first = scanner.bytes.first, [0x2A, 0x26].contains(first) { scanner.bytes.removeFirst() }
        var result = scanner.text
        for space in ["std::__1::", "std::__cxx11::", "std::__2::", "std::__ndk1::"]
        where result.has(space) {
            result = result.replacing(space, with: "std::")
        }
        result = result.replacing("\u{1}", with: "(").replacing("\u{2}", with: ")")
            .replacing("\u{3}", with: "<").replacing("\u{4}", with: ">").replacing("\u{5}", with: "[")
            .replacing("\u{6}", with: "]")
        // For a function that returns a function pointer, only a keyword is left: keep the original name.
        return result.isEmpty || ["void", "int", "bool", "auto", "char", "const", "public:"].contains(result)
            ? name : result
    }

    /// Whether the name has the form of a C++ signature with an argument list.
    static func isSignature(_ name: String) -> Bool {
        name.has("::")
            && (name.hasSuffix(")") || name.hasSuffix(") const") || name.hasSuffix(") noexcept"))
            && !name.has(" -> ")
    }

    private static let anonymous = [
        "(anonymous namespace)", "`anonymous namespace'", "`anonymous-namespace'", "<anonymous>", "_GLOBAL__N_1",
        "{anonymous}",
    ]

    private static func lambdas(_ text: String) -> String {
        guard text.has("lambda") || text.has("$_") else { return text }
        var scanner = NameScanner(text)
        var result: [UInt8] = []
        var at = 0
        while at < scanner.bytes.count {
            let rest = scanner.bytes[at...]
            if rest.starts(with: "{lambda(".utf8) || rest.starts(with: "'lambda".utf8)
                || rest.starts(with: "<lambda".utf8)
            {
                let close: UInt8 =
                    rest.first == UInt8(ascii: "{")
                    ? UInt8(ascii: "}") : rest.first == UInt8(ascii: "<") ? UInt8(ascii: ">") : UInt8(ascii: "'")
                var depth = 0
                var end = at + 1
                while end < scanner.bytes.count {
                    let byte = scanner.bytes[end]
                    if byte == UInt8(ascii: "(") { depth += 1 }
                    if byte == UInt8(ascii: ")") { depth -= 1 }
                    if byte == close, depth <= 0 { break }
                    end += 1
                }
                at = min(end + 1, scanner.bytes.count)
                // Clang: 'lambda0'(int)
                if close == UInt8(ascii: "'"), at < scanner.bytes.count, scanner.bytes[at] == UInt8(ascii: "(") {
                    while at < scanner.bytes.count, scanner.bytes[at] != UInt8(ascii: ")") { at += 1 }
                    at = min(at + 1, scanner.bytes.count)
                }
                result += Array("{lambda}".utf8)
            } else if rest.starts(with: "$_".utf8) {
                at += 2
                while at < scanner.bytes.count, NameScanner.isDigit(scanner.bytes[at]) { at += 1 }
                result += Array("{lambda}".utf8)
            } else {
                result.append(scanner.bytes[at])
                at += 1
            }
        }
        scanner.bytes = result
        return scanner.text
    }
}

extension NameScanner {
    /// Replaces the brackets in operator names with placeholder bytes, so that they are not removed.
    fileprivate mutating func protectOperators() {
        guard let start = place(of: "operator") else { return }
        var at = start + 8
        let stand: [UInt8: UInt8] = [0x28: 1, 0x29: 2, 0x3C: 3, 0x3E: 4, 0x5B: 5, 0x5D: 6]
        // At most two brackets: operator(), operator<<, operator[], operator->.
        var count = 0
        while at < bytes.count, count < 2 {
            if bytes[at] == 0x2D { at += 1; continue }
            guard let replaced = stand[bytes[at]] else { break }
            // A `(` without a following `)` starts the arguments.
            if bytes[at] == 0x28, at + 1 < bytes.count, bytes[at + 1] != 0x29 { break }
            bytes[at] = replaced
            at += 1
            count += 1
        }
    }
}
