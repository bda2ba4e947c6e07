/// What the stacks of one event are grouped with, all together: the rules, and the bounds on what they may cost.
struct StackContext {
    let rules: StackRules?
    let meter: RuleMeter
    let version: GroupingVersion
    let names = CleaningBudget.names
    let messages = CleaningBudget.messages

    /// A message with what varies in it replaced, as far as the bound allows.
    func parameterised(_ message: String) -> String {
        messages.allows(message) ? MessageText.parameterised(message) : message
    }
}
