import WhorlProtocol

/// Grouping by the stack of the relevant thread: the crashed one, else the current one, else the only one.
enum Version1ThreadRule {
    static func variants(_ event: Event) -> Version1Variants? {
        let crashed = event.threads.filter(\.crashed)
        let current = event.threads.filter(\.current)
        let candidates = !crashed.isEmpty ? crashed : !current.isEmpty ? current : event.threads
        guard candidates.count == 1, let stack = candidates[0].stacktrace,
            let variants = Version1StacktraceRule.variants(stack, event.platform)
        else { return nil }
        func thread(_ stack: GroupingComponent) -> GroupingComponent {
            .group(name: "thread", contributes: true, hint: nil, children: [stack])
        }
        return Version1Variants(app: variants.app.map(thread), system: thread(variants.system))
    }
}
