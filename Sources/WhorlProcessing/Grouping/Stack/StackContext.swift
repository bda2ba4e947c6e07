/// What the stacks of one event are grouped with, all together: the rules, and the bounds on what they may cost.
struct StackContext {
    let rules: StackRules?
    let meter: RuleMeter
    let version: GroupingVersion
    let names = NameBudget()
}
