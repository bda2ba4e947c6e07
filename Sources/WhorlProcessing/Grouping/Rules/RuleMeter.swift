/// Measures the cost of the rules of a project for one event, and stops the rules at a limit.
///
/// API clients define the rules, and senders define the frames: 200 rules of 20 conditions over 250 frames are a
/// million comparisons.
final class RuleMeter {
    /// The maximum number of bytes that the rules may read for one event, which takes about 10 ms.
    static let maxSteps = 4_000_000

    private var left: Int
    /// The text of the rule that exceeded the limit; later rules are not applied.
    private(set) var exceededBy: String?

    init(steps: Int = maxSteps) { left = steps }

    var isExceeded: Bool { exceededBy != nil }

    /// Returns whether the text matches, and adds the cost; returns false after the limit is exceeded.
    func matches(_ glob: Glob, _ text: String?) -> Bool {
        guard let text, left > 0 else { return false }
        left -= glob.cost(text)
        return glob.matches(text)
    }

    /// Counts a comparison that reads no text.
    func countStep() { left -= 1 }

    /// Whether the limit is exceeded after a rule; in this case the rule does not apply either.
    func isOver(after rule: String) -> Bool {
        guard left <= 0 else { return false }
        if exceededBy == nil { exceededBy = rule }
        return true
    }
}
