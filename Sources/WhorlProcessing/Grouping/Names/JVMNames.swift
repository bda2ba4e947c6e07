/// Cleans names of the Java virtual machine, where the names that `javac`, `kotlinc`, `scalac` and proxies generate
/// differ between builds.
enum JVMNames {
    /// The class of a frame.
    ///
    /// `Foo$$Lambda$14/0x0000000800066840` and `Foo$$Lambda/0x…` become `Foo$$Lambda`.
    /// `Foo$1` and `Foo$2` become `Foo$<n>`. Generated subclasses become their parent class.
    static func module(_ name: String) -> String {
        guard name.hasByte("$") || name.hasSuffix("Kt") == false && name.hasDigit() else { return name }
        var scanner = NameScanner(name)
        for marker in generated where scanner.has(marker) { scanner.cut(at: marker) }
        if scanner.hasSuffix("$DefaultImpls") { scanner.bytes.removeLast(13) }
        if scanner.has("$$ExternalSynthetic") { scanner.dropSuffix(while: NameScanner.isDigit) }
        if scanner.has("$$Lambda") {
            scanner.cut(at: "$$Lambda")
            scanner.bytes += Array("$$Lambda".utf8)
        }
        // The names of runtime proxies end with a number.
        for proxy: StaticString in ["$Proxy", "GeneratedMethodAccessor", "GeneratedConstructorAccessor"] {
            if let place = scanner.place(of: proxy) {
                let end = place + proxy.utf8CodeUnitCount
                if scanner.bytes[end...].allSatisfy(NameScanner.isDigit) {
                    scanner.bytes.removeLast(scanner.bytes.count - end)
                }
            }
        }
        // Hidden classes end with an address.
        if let address = scanner.place(of: "/0x") { scanner.bytes.removeLast(scanner.bytes.count - address) }
        scanner.replaceNumbers(after: [UInt8(ascii: "$"), UInt8(ascii: "-"), UInt8(ascii: "_")])
        // Clojure's eval12345, Groovy's Script42, Spark's CodegenStage12 and numbered views and proxies.
        for word: StaticString in ["$eval", "Script", "CodegenStage", "$view", "Proxy", "_closure"] {
            let end = scanner.bytes.count - scanner.bytes.reversed().prefix(while: NameScanner.isDigit).count
            if end < scanner.bytes.count,
                scanner.bytes[..<end].suffix(word.utf8CodeUnitCount)
                    .elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
            {
                scanner.bytes.removeLast(scanner.bytes.count - end)
            }
        }
        // Kotlin compiles a lambda to a separate class that is named after its function: `Foo$bar$<n>`.
        while scanner.hasSuffix("$<n>$<n>") { scanner.bytes.removeLast(4) }
        return scanner.text
    }

    private static let generated: [StaticString] = [
        "$$EnhancerBy", "$$FastClassBy", "$$SpringCGLIB", "$$KeyFactoryBy", "$HibernateProxy", "$MockitoMock",
        "$ByteBuddy", "_$$_jvst", "_$$_javassist", "$$Proxy", "_ClientProxy", "_Subclass", "$Proxy$_$$_Weld",
    ]

    /// Whether a class is generated at run time as a subclass or wrapper of another class.
    static func isGenerated(_ name: String) -> Bool {
        guard name.hasByte("$_") else { return false }
        let scanner = NameScanner(name)
        return generated.contains { scanner.has($0) }
    }

    /// Methods that invoke a lambda that is compiled to a separate class.
    private static let calls: Set<String> = [
        "invoke", "invokeSuspend", "apply", "accept", "call", "run", "get", "test",
    ]

    /// The class and the method of a frame; `Foo$read$1.invoke` becomes `lambda$read` of `Foo`, as in newer compilers.
    static func names(module: String?, function: String?) -> (module: String?, function: String?) {
        guard let module else { return (nil, function.map(Self.function)) }
        if let function, calls.contains(function), module.hasByte("$") {
            let parts = module.split(separator: "$", omittingEmptySubsequences: false)
            if parts.count >= 3, let number = parts.last, !number.isEmpty, number.allSatisfy(\.isNumber),
                let owner = parts.dropLast().last(where: { !$0.allSatisfy(\.isNumber) }),
                owner.first?.isLowercase ?? false
            {
                let outer = parts.prefix { $0 != owner }.joined(separator: "$")
                return (Self.module(outer), "lambda$\(owner.prefix { $0 != "-" })")
            }
        }
        return (Self.module(module), function.map(Self.function))
    }

    /// The method name.
    ///
    /// `lambda$handle$0` becomes `lambda$handle`. Bridge methods become their target method.
    static func function(_ name: String) -> String {
        guard name.hasByte("$-") || name.hasDigit() else { return name }
        var scanner = NameScanner(name)
        if scanner.hasPrefix("access$") { scanner.bytes.removeFirst(7) }
        for suffix: StaticString in ["$suspendImpl", "$default", "$lambda", "$annotations", "$delegate"] {
            if scanner.hasSuffix(suffix), suffix.utf8CodeUnitCount < scanner.bytes.count, !scanner.hasPrefix("lambda$")
            {
                if suffix.description == "$lambda" { continue }
                scanner.bytes.removeLast(suffix.utf8CodeUnitCount)
            }
        }
        if scanner.hasPrefix("lambda$") {
            // lambda$name$3, lambda$name$abcdef01$1
            let parts = scanner.text.split(separator: "$")
            return parts.count > 2 ? "lambda$\(parts[1])" : "lambda"
        }
        // Kotlin: name$lambda$3, name$lambda$3$lambda$2 and name$lambda-3.
        if let place = scanner.place(of: "$lambda") {
            return "lambda$" + String(decoding: scanner.bytes[..<place], as: UTF8.self)
        }
        // Kotlin appends the module to the names of internal functions: name$app_release.
        if let dollar = scanner.bytes.lastIndex(of: UInt8(ascii: "$")), dollar > 0,
            scanner.bytes[dollar...].contains(UInt8(ascii: "_"))
        {
            scanner.bytes.removeLast(scanner.bytes.count - dollar)
        }
        // Value classes: name-1a2b3c4 and name-impl.
        if let dash = scanner.bytes.lastIndex(of: UInt8(ascii: "-")), dash > 0 {
            scanner.bytes.removeLast(scanner.bytes.count - dash)
        }
        // Scala: $anonfun$name$1.
        if scanner.hasPrefix("$anonfun$") {
            scanner.dropSuffix(while: NameScanner.isDigit)
            scanner.dropSuffix { $0 == UInt8(ascii: "$") }
        }
        scanner.replaceNumbers(after: [UInt8(ascii: "$")])
        return scanner.text
    }
}
