/// The calls that were open, the oldest first and the place of the fault last.
public struct Stacktrace: Sendable {
    /// Frames beyond which the oldest are left out, as Sentry does.
    public static let maxFrames = 250

    /// The frames, at most ``maxFrames``.
    public let frames: [Frame]
    /// How many older frames were left out.
    public let omitted: Int
    /// The whole object.
    public let node: JSONNode

    init?(_ node: JSONNode, path: String, _ reader: inout EventReader) {
        self.node = node
        // A bare list of frames is read as the frames of a stack.
        let list = node.isArray ? node : node.member("frames")
        guard let list, list.isArray else {
            if let list { reader.note("\(path).frames", list.isNull ? "missing" : "invalid_data") }
            return nil
        }
        var all = list.elements.filter(\.isObject)
        omitted = max(0, all.count - Self.maxFrames)
        if omitted > 0 {
            all.removeFirst(omitted)
            reader.note("\(path).frames", "too_many_frames")
        }
        frames = all.map { Frame($0) }
        if frames.isEmpty { return nil }
    }
}

/// One call of a stack.
public struct Frame: Sendable {
    /// The file, relative to the project.
    public let filename: String?
    /// The file in full, or the URL of a script.
    public let absPath: String?
    /// The function.
    public let function: String?
    /// The function before the SDK shortened it.
    public let rawFunction: String?
    /// The module or class.
    public let module: String?
    /// The library or image.
    public let package: String?
    /// The language, when it differs from the event's.
    public let platform: String?
    /// The line.
    public let lineno: Int?
    /// The column.
    public let colno: Int?
    /// The source of the line.
    public let contextLine: String?
    /// Whether the frame belongs to the application; nil when the SDK did not say.
    public let inApp: Bool?
    /// The whole object.
    public let node: JSONNode

    init(_ node: JSONNode) {
        func text(_ key: StaticString) -> String? {
            guard let value = node.member(key)?.string, !value.isEmpty else { return nil }
            return value
        }
        self.node = node
        absPath = text("abs_path")
        filename = text("filename") ?? absPath.map(pathOfURL)
        function = text("function")
        rawFunction = text("raw_function")
        module = text("module")
        package = text("package")
        platform = text("platform")
        lineno = node.member("lineno")?.int ?? node.member("lineno")?.string.flatMap { Int($0) }
        colno = node.member("colno")?.int
        contextLine = text("context_line")
        inApp = node.member("in_app")?.bool
    }
}

/// The path part of a URL, or the text itself when it is none.
private func pathOfURL(_ text: String) -> String {
    guard let scheme = text.firstRange(of: "://"), let slash = text[scheme.upperBound...].firstIndex(of: "/") else {
        return text
    }
    return String(text[slash...].prefix { $0 != "?" && $0 != "#" })
}

/// One exception of a chain.
public struct ExceptionValue: Sendable {
    /// The type's name.
    public let type: String?
    /// The message; other kinds of JSON are kept as their text.
    public let value: String?
    /// Where the type is declared.
    public let module: String?
    /// Where it was thrown.
    public var stacktrace: Stacktrace?
    /// How the SDK caught it.
    public let mechanism: Mechanism?
    /// The thread it was thrown on.
    public let threadID: String?
    /// The whole object.
    public let node: JSONNode

    init?(_ node: JSONNode, path: String, _ reader: inout EventReader) {
        guard node.isObject else {
            reader.note(path, "invalid_data")
            return nil
        }
        self.node = node
        type = reader.text(node, "type", at: "\(path).type")
        if let raw = node.member("value") {
            value = raw.string ?? JSON(raw).text
        } else {
            value = nil
        }
        guard type != nil || value != nil else {
            reader.note(path, "missing_attribute")
            return nil
        }
        module = reader.text(node, "module", at: "\(path).module")
        stacktrace = node.member("stacktrace").flatMap { Stacktrace($0, path: "\(path).stacktrace", &reader) }
        mechanism = node.member("mechanism").flatMap { $0.isObject ? Mechanism($0) : nil }
        threadID = node.member("thread_id").flatMap { $0.string ?? $0.numberText }
    }
}

/// How an SDK caught an exception, and where it stands in a group of exceptions.
public struct Mechanism: Sendable {
    /// The SDK's word for how, such as `excepthook`.
    public let type: String?
    /// Whether somebody handled it; nil when unknown.
    public let handled: Bool?
    /// Whether the exception was made up to carry a stack, so that its type says nothing.
    public let isSynthetic: Bool
    /// Whether it holds other exceptions.
    public let isGroup: Bool
    /// The number by which others name it as their parent.
    public let exceptionID: Int?
    /// The number of the exception that holds it or that it caused.
    public let parentID: Int?
    /// The whole object.
    public let node: JSONNode

    init(_ node: JSONNode) {
        self.node = node
        type = node.member("type")?.string
        handled = node.member("handled")?.bool
        isSynthetic = node.member("synthetic")?.bool ?? false
        isGroup = node.member("is_exception_group")?.bool ?? false
        exceptionID = node.member("exception_id")?.int
        parentID = node.member("parent_id")?.int
    }
}

/// One thread of an event.
public struct EventThread: Sendable {
    /// The id, a number or a name.
    public let id: String?
    /// The name.
    public let name: String?
    /// Whether the fault happened here.
    public let crashed: Bool
    /// Whether the event was made here.
    public let current: Bool
    /// The calls that were open.
    public let stacktrace: Stacktrace?
    /// The whole object.
    public let node: JSONNode

    init?(_ node: JSONNode, path: String, _ reader: inout EventReader) {
        guard node.isObject else {
            reader.note(path, "invalid_data")
            return nil
        }
        self.node = node
        id = node.member("id").flatMap { $0.string ?? $0.numberText }
        name = node.member("name")?.string
        crashed = node.member("crashed")?.bool ?? false
        current = node.member("current")?.bool ?? false
        stacktrace = node.member("stacktrace").flatMap { Stacktrace($0, path: "\(path).stacktrace", &reader) }
    }
}
