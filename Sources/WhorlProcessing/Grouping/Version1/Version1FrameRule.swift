import WhorlProtocol

/// Selects the parts of a frame that contribute to grouping (protocol facts, section 6.2).
///
/// The parts are the module, else the file name; the function; and the source line on platforms that send it.
/// Line numbers, columns and addresses never contribute, because they change with every build.
enum Version1FrameRule {
    /// Platforms whose stack frames contain the original source line.
    private static let sourceShipping: Set<String> = ["javascript", "node", "python", "php", "ruby"]
    /// The maximum length of a source line; longer lines are minified or generated, and change with every build.
    private static let maxContextLine = 120

    static func component(_ frame: Frame, _ eventPlatform: String) -> GroupingComponent {
        let platform = frame.platform ?? eventPlatform
        let module = module(of: frame, platform)
        let file = file(of: frame)
        let children = [
            GroupingComponent.value("module", module),
            GroupingComponent.value(
                "filename",
                file.name,
                ignored: module != nil ? "the module is used instead" : file.ignored
            ),
            function(of: frame, platform),
            contextLine(of: frame, platform),
        ]
        .compactMap { $0 }
        let component = GroupingComponent.group(name: "frame", contributes: true, hint: nil, children: children)
        if platform == "javascript" || platform == "node", isEngineFrame(frame) {
            return component.ignored("made by the engine")
        }
        return component
    }

    private static func module(of frame: Frame, _ platform: String) -> String? {
        guard let module = frame.module else { return nil }
        // Bundlers use the file path as the module name, which changes with the build folder.
        if platform == "javascript", module.utf8.contains(UInt8(ascii: "/")), frame.absPath?.hasSuffix(module) ?? false
        {
            return nil
        }
        return module
    }

    private static func file(of frame: Frame) -> (name: String?, ignored: String?) {
        guard let filename = frame.filename else { return (nil, nil) }
        if filename == "<anonymous>" || filename == "[native code]" { return (filename, "no file") }
        let slash = filename.utf8.lastIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        let base = String(filename[(slash.map { filename.utf8.index(after: $0) } ?? filename.startIndex)...])
            .lowercased()
        let isURL = frame.absPath.map(hasScheme) ?? false
        return (base, isURL ? "the path is a URL" : nil)
    }

    /// Whether a path starts with a URL scheme; checks only the first 20 bytes.
    private static func hasScheme(_ path: String) -> Bool {
        guard let colon = path.utf8.prefix(20).firstIndex(of: UInt8(ascii: ":")) else { return false }
        return path.utf8[colon...].starts(with: "://".utf8)
    }

    private static func function(of frame: Frame, _ platform: String) -> GroupingComponent? {
        guard var name = frame.function else { return nil }
        if platform == "javascript" || platform == "node" {
            name = name.split(separator: ".").last.map(String.init) ?? name
        }
        let unnamed = ["?", "<anonymous>", "<anonymous function>", "Anonymous function", "<redacted>", "<unknown>"]
        let isUnnamed = unnamed.contains(name) || name.hasSuffix("/<")
        return .value("function", name, ignored: isUnnamed ? "the function has no name" : nil)
    }

    private static func contextLine(of frame: Frame, _ platform: String) -> GroupingComponent? {
        guard sourceShipping.contains(platform), let line = frame.contextLine else { return nil }
        // Whitespace is collapsed, so that a change of the indentation does not change the hash.
        let collapsed = collapsed(line)
        let isLong = collapsed.utf8.count > maxContextLine && collapsed.count > maxContextLine
        return .value("context-line", collapsed, ignored: isLong ? "the line is too long" : nil)
    }

    /// The line with each run of whitespace replaced with one space, and trimmed.
    private static func collapsed(_ line: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(line.utf8.count)
        for byte in line.utf8 {
            let isBlank = byte == 0x20 || (0x09...0x0D).contains(byte)
            if !isBlank {
                bytes.append(byte)
            } else if let last = bytes.last, last != 0x20 {
                bytes.append(0x20)
            }
        }
        if bytes.last == 0x20 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isEngineFrame(_ frame: Frame) -> Bool {
        let places = ["[native code]", "native code", "eval code", "<anonymous>"]
        return frame.function == "eval" || frame.absPath.map(places.contains) ?? false
    }
}
