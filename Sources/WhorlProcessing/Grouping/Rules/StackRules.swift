import WhorlProtocol

/// Rules for stack frames, each with conditions and actions.
///
/// An action sets whether frames are in-app (`+app`, `-app`) or whether they contribute (`+group`, `-group`).
/// With the prefix `^`, the action applies to all frames that the matching frame called.
/// With the prefix `v`, it applies to all frames that called the matching frame.
/// `max-frames=N` keeps only the N frames nearest to the fault.
struct StackRules: Sendable, Equatable {
    private enum Range: Sendable, Equatable {
        case itself
        /// The frames nearer to the fault.
        case up
        /// The frames nearer to the start of the thread.
        case down
    }

    private struct Action: Sendable, Equatable {
        let range: Range
        let isApp: Bool
        let value: Bool
    }

    private struct Rule: Sendable, Equatable {
        let text: String
        let matchers: [RuleMatcher]
        let actions: [Action]
    }

    private var rules: [Rule] = []
    private(set) var maxFrames: Int?

    var isEmpty: Bool { rules.isEmpty && maxFrames == nil }

    mutating func add(_ line: String) throws(RuleError) {
        if line.hasPrefix("max-frames=") {
            guard let count = Int(line.dropFirst(11)), (1...250).contains(count) else {
                throw RuleError(reason: "max-frames must be a number from 1 to 250")
            }
            maxFrames = count
            return
        }
        var matchers: [RuleMatcher] = []
        var actions: [Action] = []
        for word in try RuleWords(line).words {
            if let action = Self.action(word) {
                actions.append(action)
            } else if let matcher = try RuleMatcher(word) {
                guard matcher.isOfFrames || matcher.subject == .platform else {
                    throw RuleError(reason: "\(word) is not about frames")
                }
                guard actions.isEmpty else { throw RuleError(reason: "\(word): conditions must precede actions") }
                matchers.append(matcher)
            } else {
                throw RuleError(reason: "\(word) is neither a condition nor an action such as -app or ^-group")
            }
        }
        guard (1...20).contains(matchers.count) else { throw RuleError(reason: "a rule needs 1 to 20 conditions") }
        guard (1...10).contains(actions.count) else {
            throw RuleError(reason: "a rule needs an action: +app, -app, +group, -group")
        }
        rules.append(Rule(text: line, matchers: matchers, actions: actions))
    }

    private static func action(_ word: String) -> Action? {
        var text = word[...]
        var range = Range.itself
        if text.hasPrefix("^") {
            range = .up
            text = text.dropFirst()
        } else if text.hasPrefix("v"), text.count > 1, "+-".contains(text.dropFirst().first ?? " ") {
            range = .down
            text = text.dropFirst()
        }
        switch text {
        case "+app": return Action(range: range, isApp: true, value: true)
        case "-app": return Action(range: range, isApp: true, value: false)
        case "+group": return Action(range: range, isApp: false, value: true)
        case "-group": return Action(range: range, isApp: false, value: false)
        default: return nil
        }
    }

    func followed(by others: StackRules?) -> StackRules {
        guard let others else { return self }
        var all = self
        all.rules += others.rules
        all.maxFrames = maxFrames ?? others.maxFrames
        return all
    }

    /// Applies the rules to the frames, the oldest first; stops when the meter exceeds its limit.
    func apply(to frames: [FrameFacts], _ meter: RuleMeter) {
        for rule in rules {
            guard !meter.isExceeded else { return }
            let hits = frames.indices.filter { index in
                rule.matchers.allSatisfy { $0.matches(frames[index], meter) }
            }
            if meter.isOver(after: rule.text) { return }
            guard let first = hits.first, let last = hits.last else { continue }
            for action in rule.actions {
                let places: [Int] =
                    switch action.range {
                    case .itself: hits
                    case .up: Array(frames.indices.suffix(from: first).dropFirst())
                    case .down: Array(frames.indices.prefix(upTo: last))
                    }
                for place in places {
                    if action.isApp {
                        frames[place].isOwn = action.value
                        frames[place].isOwnCorrected = true
                    } else {
                        frames[place].ignored = action.value ? nil : .rule
                    }
                }
            }
        }
    }
}
