import WhorlProtocol

/// One condition of a rule, such as `error.type:Timeout*` or `!tags.shop:eu`.
struct RuleMatcher: Sendable, Equatable {
    enum Subject: Sendable, Equatable {
        case type
        case value
        case message
        case level
        case release
        case environment
        case logger
        case transaction
        case platform
        case tag(String)
        case path
        case module
        case function
        case package
        case inApp
    }

    let subject: Subject
    let isNegated: Bool
    private let glob: Glob

    /// The names of subjects in conditions.
    private static let names: [String: Subject] = [
        "error.type": .type, "type": .type, "error.value": .value, "value": .value, "message": .message,
        "level": .level, "release": .release, "environment": .environment, "logger": .logger,
        "transaction": .transaction, "platform": .platform, "family": .platform, "stack.abs_path": .path,
        "stack.path": .path, "path": .path, "stack.module": .module, "module": .module, "stack.function": .function,
        "function": .function, "stack.package": .package, "package": .package, "app": .inApp,
    ]

    /// Parses a condition; returns nil when the word has no colon.
    init?(_ word: String) throws(RuleError) {
        var text = word[...]
        let isNegated = text.hasPrefix("!")
        if isNegated { text = text.dropFirst() }
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let name = String(text[..<colon])
        let pattern = String(text[text.index(after: colon)...])
        if let known = Self.names[name] {
            subject = known
        } else if name.hasPrefix("tags."), name.count > 5 {
            subject = .tag(String(name.dropFirst(5)))
        } else {
            throw RuleError(
                reason:
                    "\(name) cannot be matched; use \(Self.names.keys.sorted().joined(separator: ", ")) or tags.NAME"
            )
        }
        guard let glob = Glob(pattern.replacing("**", with: "*")) else {
            throw RuleError(
                reason: "\(name) needs a pattern of 1 to \(Glob.maxPatternBytes) bytes; a part between two stars that "
                    + "contains a ? has at most 32 bytes"
            )
        }
        self.isNegated = isNegated
        self.glob = glob
    }

    var isOfFrames: Bool {
        switch subject {
        case .path, .module, .function, .package, .inApp: true
        default: false
        }
    }

    func matches(_ event: Event, _ meter: RuleMeter) -> Bool {
        func any(_ text: String?) -> Bool { meter.matches(glob, text) }
        let found: Bool =
            switch subject {
            case .type: event.exceptions.contains { any($0.type) }
            case .value: event.exceptions.contains { any($0.value) }
            case .message:
                any(event.message?.shown) || any(event.message?.message)
                    || event.exceptions.contains { any($0.value) }
            case .level: any((event.level ?? .error).rawValue)
            case .release: any(event.release)
            case .environment: any(event.environment)
            case .logger: any(event.logger)
            case .transaction: any(event.transaction)
            case .platform: any(event.platform)
            case .tag(let key): event.tags.contains { $0.key == key && any($0.value) }
            case .path, .module, .function, .package, .inApp:
                event.exceptions.contains {
                    $0.stacktrace.map { $0.frames.contains { matchesFrame($0, meter) } } ?? false
                } || (event.stacktrace?.frames.contains { matchesFrame($0, meter) } ?? false)
            }
        return found != isNegated
    }

    /// Whether a frame matches, without regard to negation.
    private func matchesFrame(_ frame: Frame, _ meter: RuleMeter) -> Bool {
        switch subject {
        case .path: return meter.matches(glob, frame.absPath) || meter.matches(glob, frame.filename)
        case .module: return meter.matches(glob, frame.module)
        case .function: return meter.matches(glob, frame.function)
        case .package: return meter.matches(glob, frame.package)
        case .inApp:
            meter.countStep()
            return (frame.inApp ?? false) == meansYes
        default: return false
        }
    }

    func matches(_ facts: FrameFacts, _ meter: RuleMeter) -> Bool {
        if subject == .inApp {
            meter.countStep()
            return (facts.isOwn == meansYes) != isNegated
        }
        if subject == .platform { return meter.matches(glob, facts.frame.platform) != isNegated }
        return matchesFrame(facts.frame, meter) != isNegated
    }

    /// Whether the pattern of `app:` requires in-app frames.
    private var meansYes: Bool { glob.matches("yes") || glob.matches("true") }
}
