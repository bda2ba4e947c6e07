import WhorlProtocol

/// What grouping makes of one frame: whose code it is, whether it counts and why not, and the cleaned parts that count.
///
/// A class, so that passing one on copies no texts; each belongs to one stack.
final class FrameFacts {
    /// Why a part, or a whole frame, does not count; the text is shown by the explanation.
    enum Reason: String {
        case moduleSaysMore = "the module says more"
        case functionSaysMore = "the function's whole path says more"
        case scriptURL = "the name of a bundle, or of a page, says nothing"
        case noFile = "no file"
        case unnamed = "the function has no name"
        case minified = "a minifier made the name"
        case longLine = "too long a line"
        case noFunctionAtURL = "a line of a page without a function"
        case lineSaysMore = "the source line says more"
        case engine = "made by the engine"
        case recursion = "the same calls as before"
        case throwHelper = "raises, or reports, the error"
        case threadBase = "the base of every thread"
        case comprehension = "part of the function around it"
        case helper = "a helper that compilers or SDKs put in"
        case address = "an address without a name"
        case rule = "a stack-trace rule of the project"
        case library = "not part of the application"
        case beyondLimit = "beyond the limit of a stack-trace rule"
    }

    let frame: Frame
    let family: PlatformFamily
    /// Whether the frame belongs to the application, after all rules.
    var isOwn: Bool
    /// Whether that differs from what the SDK said.
    var isOwnCorrected = false
    /// Why the frame does not count; nil when it does.
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

    /// The parts that count, in one text; empty when none does.
    ///
    /// Made when it is first asked for: after that, no part changes.
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

    /// The frame for people.
    func component(ignored other: Reason?) -> GroupingComponent {
        let children = [
            GroupingComponent.value("module", module),
            GroupingComponent.value(
                "filename",
                file ?? frame.filename,
                ignored: (module != nil ? Reason.moduleSaysMore : fileIgnored)?.rawValue
            ),
            GroupingComponent.value("function", function ?? frame.function, ignored: functionIgnored?.rawValue),
            GroupingComponent.value("context-line", line, ignored: lineIgnored?.rawValue),
        ]
        .compactMap { $0 }
        let reason = (ignored ?? other)?.rawValue
        let hint =
            reason ?? (isOwnCorrected ? (isOwn ? "in the application, by a rule" : "of a library, by a rule") : nil)
        return .group(name: "frame", contributes: reason == nil, hint: hint, children: children)
    }
}
