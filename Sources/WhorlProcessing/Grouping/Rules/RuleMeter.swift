/// Counts what the rules of a project cost for one event, and stops them at a bound.
///
/// Rules come from tokens and frames from senders: 200 rules of 20 conditions over 250 frames are a million comparisons.
final class RuleMeter {
    /// Bytes that the rules of one event may look at: about 10 ms.
    static let maxSteps = 4_000_000

    private var left: Int
    /// The rule that was over the bound, as it is written; later rules were not applied.
    private(set) var exceededBy: String?

    init(steps: Int = maxSteps) { left = steps }

    var isExceeded: Bool { exceededBy != nil }

    /// Whether the text fits, counted; false once the bound is exceeded.
    func matches(_ glob: Glob, _ text: String?) -> Bool {
        guard let text, left > 0 else { return false }
        left -= glob.cost(text)
        return glob.matches(text)
    }

    /// Counts a comparison that looks at no text.
    func countStep() { left -= 1 }

    /// Whether the bound is exceeded after a rule; then the rule does not apply either.
    func isOver(after rule: String) -> Bool {
        guard left <= 0 else { return false }
        if exceededBy == nil { exceededBy = rule }
        return true
    }
}
