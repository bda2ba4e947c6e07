/// A call stack, with the oldest call first and the location of the fault last.
public struct Stacktrace: Sendable {
    /// The maximum number of frames; older frames are left out, as in Sentry.
    public static let maxFrames = 250

    /// The frames, at most ``maxFrames``.
    public let frames: [Frame]
    /// The number of older frames that were left out.
    public let omitted: Int
    /// The whole object.
    public let node: JSONNode

    init?(_ node: JSONNode, path: String, _ reader: inout EventReader) {
        self.node = node
        // A list without a wrapping object is the list of frames.
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

/// A frame of a call stack.
public struct Frame: Sendable {
    /// The file path relative to the project.
    public let filename: String?
    /// The absolute file path, or the URL of a script.
    public let absPath: String?
    /// The function name.
    public let function: String?
    /// The function name before the SDK shortened it.
    public let rawFunction: String?
    /// The module or class.
    public let module: String?
    /// The library or image.
    public let package: String?
    /// The platform, if it differs from the platform of the event.
    public let platform: String?
    /// The line number.
    public let lineno: Int?
    /// The column number.
    public let colno: Int?
    /// The source line.
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

/// The path of a URL, or the text itself if it is not a URL.
private func pathOfURL(_ text: String) -> String {
    guard let scheme = text.firstRange(of: "://"), let slash = text[scheme.upperBound...].firstIndex(of: "/") else {
        return text
    }
    return String(text[slash...].prefix { $0 != "?" && $0 != "#" })
}

/// One exception of a chain.
public struct ExceptionValue: Sendable {
    /// The name of the type.
    public let type: String?
    /// The message; JSON values other than strings are kept as text.
    public let value: String?
    /// The module that declares the type.
    public let module: String?
    /// The call stack at the throw.
    public var stacktrace: Stacktrace?
    /// The mechanism that captured the exception.
    public let mechanism: Mechanism?
    /// The id of the thread that threw the exception.
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

/// The mechanism that captured an exception, and the position of the exception in an exception group.
public struct Mechanism: Sendable {
    /// The name of the mechanism in the SDK, such as `excepthook`.
    public let type: String?
    /// Whether the exception was handled; nil when unknown.
    public let handled: Bool?
    /// Whether the SDK created the exception to attach a stack, so that its type is not meaningful.
    public let isSynthetic: Bool
    /// Whether the exception is a group of other exceptions.
    public let isGroup: Bool
    /// The id of the exception, which other exceptions use as ``parentID``.
    public let exceptionID: Int?
    /// The id of the exception that contains this one, or that this one caused.
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
    /// Whether the thread crashed.
    public let crashed: Bool
    /// Whether the event was created on this thread.
    public let current: Bool
    /// The call stack.
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
