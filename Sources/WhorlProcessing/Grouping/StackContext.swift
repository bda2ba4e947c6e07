/// The context that all stacks of one event share: the rules, the version, and the cost limits.
struct StackContext {
    let rules: StackRules?
    let meter: RuleMeter
    let version: GroupingVersion
    let names = CleaningBudget.names
    let messages = CleaningBudget.messages

    /// The message with variable values replaced, or the unchanged message if the budget is used up.
    func parameterised(_ message: String) -> String {
        messages.allows(message) ? MessageText.parameterised(message) : message
    }
}
