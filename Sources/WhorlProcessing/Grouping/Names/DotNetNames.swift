/// Cleans names of .NET, where Roslyn compiles lambdas, local functions and state machines to numbered types and
/// methods.
enum DotNetNames {
    /// The type and the method in the source code: state machines and closures are replaced with their method.
    static func names(module: String?, function: String?) -> (module: String?, function: String?) {
        guard
            module.map({ $0.hasByte("<`[") || $0.hasSuffix("MoveNext") }) ?? false
                || function.map({ $0.hasByte("<`[|({+ ") }) ?? false
        else { return (module, function) }
        var type = module.map { NameScanner($0) }
        var method = function.map { NameScanner($0) }
        var written: String?
        if var scanner = type {
            // Outer+<HandleAsync>d__7, Outer.<>c__DisplayClass3_0, Outer+<>c
            if let start = scanner.place(of: "<"), start == 0 || [0x2B, 0x2E, 0x2F].contains(scanner.bytes[start - 1]) {
                let inner = Array(scanner.bytes[start...])
                scanner.bytes.removeLast(scanner.bytes.count - max(start - 1, 0))
                written = Self.owner(inner)
            }
            // Generic types: List`1[System.Int32], Dictionary<TKey,TValue>
            scanner.cut(at: "`")
            scanner.dropBracketed(UInt8(ascii: "["), UInt8(ascii: "]"))
            scanner.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
            type = scanner
        }
        if var scanner = method {
            // Lambdas in newer SDKs: `HandleAsync { <lambda> }` and `HandleAsync(?)+() => { }`.
            var isLambda = false
            for mark: StaticString in ["{ <lambda> }", "+() => { }", "{ <lambda", "() => {"] where scanner.has(mark) {
                isLambda = true
                scanner.cut(at: mark)
            }
            // `Build(Node node) x 41` is a sequence of 41 calls.
            if let times = scanner.place(of: ") x "), scanner.bytes[(times + 4)...].allSatisfy(NameScanner.isDigit) {
                scanner.bytes.removeLast(scanner.bytes.count - times - 1)
            }
            scanner.dropSuffix { $0 == 0x20 }
            // F#: getOrder@12-3 is a closure of getOrder.
            if let at = scanner.bytes.firstIndex(of: UInt8(ascii: "@")), at + 1 < scanner.bytes.count,
                NameScanner.isDigit(scanner.bytes[at + 1])
            {
                scanner.bytes.removeLast(scanner.bytes.count - at)
            }
            if scanner.hasPrefix("<") || scanner.has("|") || scanner.has(".<") || scanner.has("+<") {
                if let start = scanner.place(of: "<") {
                    let inner = Array(scanner.bytes[start...])
                    if let owner = Self.owner(inner) {
                        let local = Self.localName(inner)
                        // The class may precede the method: CartView+<Load>d__12.MoveNext.
                        var around = scanner.bytes[..<start]
                        while let last = around.last, [0x2B, 0x2E, 0x2F].contains(last) { around.removeLast() }
                        let outer = around.isEmpty ? "" : String(decoding: around, as: UTF8.self) + "."
                        scanner.bytes = Array((outer + (local.map { "\(owner).\($0)" } ?? owner)).utf8)
                        isLambda = isLambda || (local == nil && Self.isLambda(inner))
                    }
                }
            }
            scanner.cut(at: "`")
            scanner.dropBracketed(UInt8(ascii: "("), UInt8(ascii: ")"))
            scanner.dropBracketed(UInt8(ascii: "["), UInt8(ascii: "]"))
            scanner.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
            scanner.dropSuffix { $0 == 0x20 }
            if scanner.text == "MoveNext", let written { scanner.bytes = Array(written.utf8) }
            if isLambda { scanner.bytes += Array("{lambda}".utf8) }
            method = scanner
        }
        return (
            type.map(\.text).flatMap { $0.isEmpty ? nil : $0 }, method.map(\.text).flatMap { $0.isEmpty ? nil : $0 }
        )
    }

    /// The method in `<Method>d__7`, `<Method>b__1_0` and `<Method>g__Local|3_0`; the innermost one in nested names.
    private static func owner(_ bytes: [UInt8]) -> String? {
        var depth = 0
        var start: Int?
        for (place, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "<") {
                depth += 1
                start = place + 1
            } else if byte == UInt8(ascii: ">"), let begin = start {
                let name = String(decoding: bytes[begin..<place], as: UTF8.self)
                depth -= 1
                if !name.isEmpty { return name }
                start = nil
            }
        }
        return nil
    }

    /// The local function, such as `Local` in `<Method>g__Local|3_0`.
    private static func localName(_ bytes: [UInt8]) -> String? {
        let scanner = NameScanner(String(decoding: bytes, as: UTF8.self))
        guard let start = scanner.place(of: ">g__") else { return nil }
        let rest = bytes[(start + 4)...]
        return String(decoding: rest.prefix { $0 != UInt8(ascii: "|") && $0 != UInt8(ascii: "<") }, as: UTF8.self)
    }

    private static func isLambda(_ bytes: [UInt8]) -> Bool {
        NameScanner(String(decoding: bytes, as: UTF8.self)).has(">b__")
    }
}
