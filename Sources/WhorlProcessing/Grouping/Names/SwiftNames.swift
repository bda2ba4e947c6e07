/// Cleans demangled names of Swift, in the form of `swift demangle` and of debuggers.
enum SwiftNames {
    static func isSwift(_ name: String) -> Bool {
        for mark in [
            "closure #", " in ", "specialized ", "partial apply", "reabstraction thunk", "protocol witness", "@objc ",
            ".getter", ".setter", ".modify", ".read :", "static ", "implicit closure", "suspend resume", "await resume",
            "suspended partial", "async let", "dispatch thunk", ") -> ", " throws", "async ", ".init(",
            "__allocating_init",
            ".deinit", "__deallocating_deinit", "merged ", "outlined ", "default argument", "variable initialization",
            "(extension in ",
        ] where name.has(mark) {
            return !name.hasPrefix("<") && !name.has("{{closure}}") && !CxxNames.isSignature(name)
        }
        // Argument labels: total(of:in:)
        if let open = name.utf8.firstIndex(of: UInt8(ascii: "(")), name.utf8.last == UInt8(ascii: ")") {
            let inside = name[name.utf8.index(after: open)...].dropLast()
            return inside.utf8.last == UInt8(ascii: ":") && !inside.utf8.contains(0x20)
        }
        return false
    }

    /// The qualified name with argument labels, without types, closure numbers, thunks and discriminators.
    static func function(_ name: String) -> String {
        var text = name[...]
        var isClosure = false
        var isChanged = true
        var rounds = 0
        while isChanged, rounds < maxNesting {
            isChanged = false
            rounds += 1
            for prefix in prefixes where text.hasPrefix(prefix) {
                text = text.dropFirst(prefix.count)
                isChanged = true
            }
            if text.hasPrefix("("), let end = text.place(of: ") "), isContinuation(text[..<end.lowerBound]) {
                text = text[end.upperBound...]
                isChanged = true
            }
            // closure #2 (Swift.Int) -> () in closure #1 in f()
            if text.hasPrefix("closure #") || text.hasPrefix("implicit closure #")
                || text.hasPrefix("async let closure")
                || text.hasPrefix("autoclosure #"), let inner = afterIn(text)
            {
                isClosure = true
                text = inner
                isChanged = true
            }
            // generic specialization <Swift.Int> of f
            for word in ["specialization <", "specialized <"] as [StaticString] {
                if let start = text.place(of: word), let of = text.place(of: "> of "),
                    start.lowerBound < of.lowerBound
                {
                    text = text[of.upperBound...]
                    isChanged = true
                }
            }
            if let thunk = text.place(of: " for "),
                text.hasPrefix("protocol witness") || text.hasPrefix("partial apply forwarder")
                    || text.hasPrefix("dispatch thunk")
            {
                text = text[thunk.upperBound...]
                isChanged = true
            }
            if text.hasPrefix("default argument "), let of = text.place(of: " of ") {
                text = text[of.upperBound...]
                isChanged = true
            }
            // variable #1 in f; a local function `helper #1 (…) in f` keeps its name.
            if let number = text.place(of: " #"), let inner = afterIn(text), number.lowerBound < inner.startIndex {
                let local = text[..<number.lowerBound]
                let around = function(whole: inner)
                return (isClosure ? "closure in " : "") + "\(around).\(local)"
            }
        }
        return (isClosure ? "closure in " : "") + function(whole: text)
    }

    /// The maximum nesting depth.
    ///
    /// Compilers do not generate deeper names, and each level scans the whole name once more.
    static let maxNesting = 16

    private static let prefixes = [
        "specialized ", "merged ", "partial apply for ", "partial apply of ", "partial apply forwarder for ", "@objc ",
        "@nonobjc ", "static ", "class ",
        "function signature specialization of ", "generic specialization of ",
        "generic not re-abstracted specialization of ",
        "dispatch thunk of ", "vtable thunk for ", "implicit ", "async function pointer to ", "distributed thunk ",
        "back deployment fallback for ", "outlined ", "@callee_guaranteed ", "dynamic ", "override ",
    ]

    /// Whether the text is the number of a continuation: `(1` in `(1) suspend resume partial function for f`.
    private static func isContinuation(_ text: Substring) -> Bool {
        text.dropFirst().utf8.allSatisfy(NameScanner.isDigit)
    }

    /// The text after the first ` in ` outside brackets.
    private static func afterIn(_ text: Substring) -> Substring? {
        var depth = 0
        let bytes = Array(text.utf8)
        for (place, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "<"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ">"): if place > 0, bytes[place - 1] != UInt8(ascii: "-") { depth -= 1 }
            case UInt8(ascii: " ") where depth <= 0:
                if place + 4 <= bytes.count, bytes[place + 1] == UInt8(ascii: "i"),
                    bytes[place + 2] == UInt8(ascii: "n"),
                    bytes[place + 3] == 0x20
                {
                    return text[text.utf8.index(text.utf8.startIndex, offsetBy: place + 4)...]
                }
            default: break
            }
        }
        return nil
    }

    /// The function name without the additions of the compiler.
    private static func function(whole text: Substring) -> String {
        var text = text
        for word in [
            "suspend resume partial function for ", "await resume partial function for ",
            "suspended partial function for ",
        ] {
            while text.hasPrefix(word) { text = text.dropFirst(word.count) }
        }
        for prefix in prefixes { while text.hasPrefix(prefix) { text = text.dropFirst(prefix.count) } }
        var scanner = NameScanner(String(text))
        // (extension in Shop):Swift.Array.total() is code of Shop, not of Swift.
        if text.hasPrefix("(extension in "), let end = text.place(of: "):") {
            scanner = NameScanner("\(text[..<end.lowerBound].dropFirst(14)):\(text[end.upperBound...])")
        }
        // `total(of:) in Shop` is the form of debuggers.
        if let inner = afterIn(text), !inner.isEmpty {
            // Uses byte offsets, because a space and a following combining mark are one Character.
            scanner = NameScanner(String(text[..<text.utf8.index(inner.startIndex, offsetBy: -4)]))
        }
        scanner.dropPrivateDiscriminators()
        scanner.dropBracketed(UInt8(ascii: "<"), UInt8(ascii: ">"))
        scanner.dropReturnType()
        scanner.keepLabels()
        if scanner.hasSuffix("()") { scanner.bytes.removeLast(2) }
        return scanner.text
    }
}

extension NameScanner {
    /// Removes private discriminators: `(price in _1A2B3C4D5E6F)` becomes `price`.
    fileprivate mutating func dropPrivateDiscriminators() {
        for _ in 0..<SwiftNames.maxNesting {
            guard let mark = place(of: " in _"), let open = bytes[..<mark].lastIndex(of: UInt8(ascii: "(")) else {
                break
            }
            var end = mark + 5
            while end < bytes.count, NameScanner.isHex(bytes[end]) { end += 1 }
            guard end < bytes.count, bytes[end] == UInt8(ascii: ")") else { break }
            let name = Array(bytes[(open + 1)..<mark])
            bytes.replaceSubrange(open...end, with: name)
        }
    }

    /// Removes everything from ` -> `, ` throws`, ` async`, ` : Type` or ` where` on, outside brackets.
    fileprivate mutating func dropReturnType() {
        var depth = 0
        for (place, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case 0x20 where depth == 0:
                let rest = bytes[(place + 1)...]
                for word in ["-> ", "throws", "async", ": ", "where ", "rethrows"]
                where rest.starts(with: word.utf8) {
                    bytes.removeLast(bytes.count - place)
                    return
                }
            default: break
            }
        }
    }

    /// Reduces the arguments to their labels: `total(of: Swift.Int, in: Shop.Cart)` becomes `total(of:in:)`.
    fileprivate mutating func keepLabels() {
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open < close
        else { return }
        let inside = Array(bytes[(open + 1)..<close])
        guard inside.contains(0x20) || !inside.contains(UInt8(ascii: ":")) else { return }
        var labels: [UInt8] = []
        var depth = 0
        var word: [UInt8] = []
        var hasLabel = false
        func flush() {
            if !inside.isEmpty { labels += hasLabel ? word + [UInt8(ascii: ":")] : Array("_:".utf8) }
            word = []
            hasLabel = false
        }
        for byte in inside {
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ",") where depth == 0: flush()
            case UInt8(ascii: ":") where depth == 0: hasLabel = hasLabel || !word.isEmpty
            case 0x20: break
            default: if depth == 0, !hasLabel { word.append(byte) }
            }
        }
        flush()
        bytes.replaceSubrange((open + 1)..<close, with: labels)
    }
}
