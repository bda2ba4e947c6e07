import WhorlProtocol

/// Selects and cleans the parts of a frame that contribute to grouping.
///
/// The parts are the module, else the cleaned file name; the function; and the source line on platforms that send it.
/// Line numbers, columns, addresses, build folders and query strings never contribute.
enum FrameNames {
    /// The maximum length of a source line; longer lines are minified or generated, and change with every build.
    private static let maxContextLine = 120

    static func facts(
        _ frame: Frame,
        _ family: PlatformFamily,
        _ names: DemangledNames,
        _ budget: CleaningBudget
    ) -> FrameFacts {
        let facts = FrameFacts(frame: frame, family: family, isOwn: false)
        var module = frame.module
        var function = frame.function
        switch family {
        // A demangled name may be a hundred times as long as the mangled name.
        case _ where !budget.allows(module) || !budget.allows(function.map { names[$0] ?? $0 }): break
        case .python: function = function.map(PythonNames.function)
        case .jvm: (module, function) = JVMNames.names(module: module, function: function)
        case .dotnet: (module, function) = DotNetNames.names(module: module, function: function)
        case .go:
            module = module.map(GoNames.module)
            function = function.map(GoNames.function)
        case .ruby:
            function = function.flatMap(RubyNames.function)
            // Labels contain the class only since Ruby 3.4, and the class that runs a block differs from that of the
            // block.
            if frame.filename != nil { module = nil }
        case .php: function = function.flatMap(PHPNames.function)
        case .native: function = function.flatMap { NativeNames.function($0, names) }
        case .beam:
            function = function.map(BeamNames.function)
            if let name = module, name.hasPrefix("Elixir.") { module = String(name.dropFirst(7)) }
        case .dart: function = function.map(DartNames.function)
        case .script:
            function = function.flatMap(ScriptNames.function)
            module = scriptModule(frame)
        case .other: break
        }
        facts.module = module.map(FileNames.withoutLongHashes)
        facts.function = function.map(FileNames.withoutLongHashes)
        facts.isOwn = InAppRule.isOwn(frame, family, function: function)
        facts.isOwnCorrected = frame.inApp.map { $0 != facts.isOwn } ?? false
        if function == nil, frame.function != nil { facts.functionIgnored = .unnamed }
        // If there is a module, the file does not contribute.
        if facts.module == nil { (facts.file, facts.fileIgnored) = FileNames.file(of: frame, family) }
        if family == .native, facts.module == nil {
            if function == nil || frame.filename == nil {
                // Without symbols only the image is stable: addresses change with every start.
                facts.module = frame.package.map { FileNames.image($0) }
            }
            // A qualified name with namespaces and types does not change when the file is renamed.
            if let function, function.hasByte(".:[") { facts.fileIgnored = .replacedByFunction }
        }
        if family.sendsSourceLines, let line = frame.contextLine { addLine(line, facts) }
        if family == .script { applyScriptRules(facts) }
        return facts
    }

    private static func addLine(_ line: String, _ facts: FrameFacts) {
        guard line.utf8.count <= 4 * maxContextLine else {
            facts.line = String(line.prefix(bytes: maxContextLine))
            facts.lineIgnored = .longLine
            return
        }
        let collapsed = collapsed(line)
        guard !collapsed.isEmpty else { return }
        facts.line = collapsed
        if collapsed.utf8.count > maxContextLine { facts.lineIgnored = .longLine }
    }

    private static func applyScriptRules(_ facts: FrameFacts) {
        let hasLine = facts.line != nil && facts.lineIgnored == nil
        if let name = facts.function, !hasLine, ScriptNames.isMinified(name) { facts.functionIgnored = .minified }
        // With a source map, the line is the original source, but the function name is minified.
        if hasLine, facts.function != nil, facts.frame.node.member("data")?.member("sourcemap") != nil {
            facts.functionIgnored = .replacedBySourceLine
        }
        let isAtURL = facts.fileIgnored == .scriptURL
        let hasFunction = facts.function != nil && facts.functionIgnored == nil
        if !hasFunction, isAtURL, facts.module == nil {
            if hasLine { facts.lineIgnored = .noFunctionAtURL }
            facts.ignored = .noFunctionAtURL
        }
    }

    /// The module of a script frame; nil if it is the file path, which bundlers use as the module name.
    private static func scriptModule(_ frame: Frame) -> String? {
        guard let module = frame.module else { return nil }
        if module.utf8.contains(UInt8(ascii: "/")), frame.absPath?.hasSuffix(module) ?? false { return nil }
        return FileNames.withoutHashes(module)
    }

    /// The line with each run of whitespace replaced with one space, and trimmed.
    private static func collapsed(_ line: String) -> String {
        var copy = line
        return copy.withUTF8 { bytes in
            String(unsafeUninitializedCapacity: bytes.count) { buffer in
                var count = 0
                for byte in bytes {
                    let isBlank = byte == 0x20 || (0x09...0x0D).contains(byte)
                    if !isBlank {
                        buffer[count] = byte
                        count += 1
                    } else if count > 0, buffer[count - 1] != 0x20 {
                        buffer[count] = 0x20
                        count += 1
                    }
                }
                if count > 0, buffer[count - 1] == 0x20 { count -= 1 }
                return count
            }
        }
    }
}
