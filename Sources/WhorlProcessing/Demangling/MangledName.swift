import WhorlProtocol

/// A mangled name of a compiler, recognised by its prefix.
struct MangledName: Sendable {
    enum Scheme: Sendable {
        case swift
        case cxx
        case rust
    }

    /// The maximum length; longer names stay mangled, because demangling 1.5 KB overflows a stack of 512 KiB.
    static let maxBytes = 512

    let scheme: Scheme
    let text: String

    /// Returns nil when the name is not mangled, or is too long.
    init?(_ name: String) {
        let utf8 = name.utf8
        // Almost all names of an event fail this check.
        guard let first = utf8.first, first == UInt8(ascii: "_") || first == UInt8(ascii: "$"), utf8.count > 2,
            utf8.count <= Self.maxBytes
        else { return nil }
        if utf8.starts(with: "$s".utf8) || utf8.starts(with: "_$s".utf8) || utf8.starts(with: "$S".utf8)
            || utf8.starts(with: "_$S".utf8) || utf8.starts(with: "_T0".utf8)
        {
            scheme = .swift
        } else if utf8.starts(with: "_ZN".utf8), RustMangling.isLegacy(name) {
            scheme = .rust
        } else if utf8.starts(with: "_Z".utf8) || utf8.starts(with: "__Z".utf8) {
            scheme = .cxx
        } else if utf8.starts(with: "_R".utf8) {
            scheme = .rust
        } else {
            return nil
        }
        guard !utf8.contains(0) else { return nil }
        text = name
    }
}

extension Event {
    /// The distinct mangled names of functions and exception types, at most `limit`.
    func mangledNames(limit: Int) -> [String] {
        var found: [String] = []
        var seen: Set<String> = []
        func look(_ name: String?) {
            guard let name, found.count < limit, let first = name.utf8.first, first == 0x5F || first == 0x24 else {
                return
            }
            // Grouping uses the name without the suffix of an optimiser.
            for form in [name, NativeNames.withoutOptimiserSuffix(name)]
            where MangledName(form) != nil && seen.insert(form).inserted { found.append(form) }
        }
        func look(_ stack: Stacktrace?) {
            for frame in stack?.frames ?? [] { look(frame.function) }
        }
        for exception in exceptions {
            look(exception.type)
            look(exception.stacktrace)
        }
        look(stacktrace)
        for thread in threads { look(thread.stacktrace) }
        return found
    }
}
