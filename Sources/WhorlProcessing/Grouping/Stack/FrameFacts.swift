import WhorlProtocol

/// The grouping data of one frame: its in-app flag, its cleaned parts, and the reasons why parts do not contribute.
///
/// This is a class, so that passing it on copies no texts. Each instance belongs to one stack.
final class FrameFacts {
    /// The reason why a part or a frame does not contribute; the explanation shows the text.
    enum Reason: String {
        case replacedByModule = "the module is used instead"
        case replacedByFunction = "the qualified function name is used instead"
        case scriptURL = "the file name of a bundle or a page is not meaningful"
        case noFile = "no file"
        case unnamed = "the function has no name"
        case minified = "the name is minified"
        case longLine = "the line is too long"
        case noFunctionAtURL = "a script URL without a function"
        case replacedBySourceLine = "the source line is used instead"
        case engine = "made by the engine"
        case recursion = "a repetition of the frames before"
        case throwHelper = "raises or reports the error"
        case threadBase = "the entry point of a thread"
        case comprehension = "part of the enclosing function"
        case helper = "a helper that a compiler or an SDK inserts"
        case address = "an address without a name"
        case rule = "excluded by a stack-trace rule of the project"
        case library = "not part of the application"
        case beyondLimit = "beyond the limit of a stack-trace rule"
    }

    let frame: Frame
    let family: PlatformFamily
    /// Whether the frame belongs to the application, after all rules.
    var isOwn: Bool
    /// Whether ``isOwn`` differs from the flag of the SDK.
    var isOwnCorrected = false
    /// The reason why the frame does not contribute; nil when it does.
    var ignored: Reason?

    var module: String?
    var file: String?
    var fileIgnored: Reason?
    var function: String?
    var functionIgnored: Reason?
    var line: String?
    var lineIgnored: Reason?

    init(frame: Frame, family: PlatformFamily, isOwn: Bool) {
        self.frame = frame
        self.family = family
        self.isOwn = isOwn
    }

    /// The contributing parts in one text; empty when no part contributes.
    ///
    /// The key is computed on the first access. The parts must not change after that.
    private(set) lazy var key: String = {
        var key = module ?? (fileIgnored == nil ? file : nil) ?? ""
        if let function, functionIgnored == nil {
            key += "\u{1}"
            key += function
        }
        if let line, lineIgnored == nil {
            key += "\u{2}"
            key += line
        }
        return key
    }()

    /// The grouping component of the frame, for the explanation.
    func component(ignored other: Reason?) -> GroupingComponent {
        let children = [
            GroupingComponent.value("module", module),
            GroupingComponent.value(
                "filename",
                file ?? frame.filename,
                ignored: (module != nil ? Reason.replacedByModule : fileIgnored)?.rawValue
            ),
            GroupingComponent.value("function", function ?? frame.function, ignored: functionIgnored?.rawValue),
            GroupingComponent.value("context-line", line, ignored: lineIgnored?.rawValue),
        ]
        .compactMap { $0 }
        let reason = (ignored ?? other)?.rawValue
        let hint =
            reason ?? (isOwnCorrected ? (isOwn ? "set to in-app by a rule" : "set to not in-app by a rule") : nil)
        return .group(name: "frame", contributes: reason == nil, hint: hint, children: children)
    }
}
