import WhorlProtocol

/// What of a frame counts.
///
/// Its module, else its cleaned file name; its function; and on platforms that ship their source the line. Never line
/// numbers, columns, addresses, build folders or query strings.
enum FrameNames {
    /// A line beyond this length is minified or generated, and changes with every build.
    private static let maxContextLine = 120

    static func facts(
        _ frame: Frame,
        _ family: PlatformFamily,
        _ names: ReadableNames,
        _ budget: CleaningBudget
    ) -> FrameFacts {
        let facts = FrameFacts(frame: frame, family: family, isOwn: false)
        var module = frame.module
        var function = frame.function
        switch family {
        // What a mangled name stands for may be a hundred times as long.
        case _ where !budget.allows(module) || !budget.allows(function.map { names[$0] ?? $0 }): break
        case .python: function = function.map(PythonNames.function)
        case .jvm: (module, function) = JVMNames.names(module: module, function: function)
        case .dotnet: (module, function) = DotNetNames.names(module: module, function: function)
        case .go:
            module = module.map(GoNames.module)
            function = function.map(GoNames.function)
        case .ruby:
            function = function.flatMap(RubyNames.function)
            // Labels name the class from Ruby 3.4 on only, and the class of what runs a block is not that of the block.
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
        // Where there is a module, the file is only shown.
        if facts.module == nil { (facts.file, facts.fileIgnored) = FileNames.file(of: frame, family) }
        if family == .native, facts.module == nil {
            if function == nil || frame.filename == nil {
                // Without symbols the image is all that survives: addresses change with every start.
                facts.module = frame.package.map { FileNames.image($0) }
            }
            // A whole path of namespaces and types stays when its file is renamed.
            if let function, function.hasByte(".:[") { facts.fileIgnored = .functionSaysMore }
        }
        if family.shipsSource, let line = frame.contextLine { addLine(line, facts) }
        if family == .script { judgeScript(facts) }
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

    private static func judgeScript(_ facts: FrameFacts) {
        let hasLine = facts.line != nil && facts.lineIgnored == nil
        if let name = facts.function, !hasLine, ScriptNames.isMinified(name) { facts.functionIgnored = .minified }
        // A source map gives the line as it was written, and the function as the minifier named it.
        if hasLine, facts.function != nil, facts.frame.node.member("data")?.member("sourcemap") != nil {
            facts.functionIgnored = .lineSaysMore
        }
        let isAtURL = facts.fileIgnored == .scriptURL
        let hasFunction = facts.function != nil && facts.functionIgnored == nil
        if !hasFunction, isAtURL, facts.module == nil {
            if hasLine { facts.lineIgnored = .noFunctionAtURL }
            facts.ignored = .noFunctionAtURL
        }
    }

    /// Bundlers name a module by its path; the path says the same and changes with the build folder.
    private static func scriptModule(_ frame: Frame) -> String? {
        guard let module = frame.module else { return nil }
        if module.utf8.contains(UInt8(ascii: "/")), frame.absPath?.hasSuffix(module) ?? false { return nil }
        return FileNames.withoutHashes(module)
    }

    /// The line with each run of white space as one blank, and none at its ends.
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
