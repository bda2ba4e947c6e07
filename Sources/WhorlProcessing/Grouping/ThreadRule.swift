import WhorlProtocol

/// Grouping by the stack of the one thread that matters: the crashed one, else the current one, else the only one.
enum ThreadRule {
    static func component(_ event: Event, _ frames: FrameSelection) -> GroupingComponent? {
        let crashed = event.threads.filter(\.crashed)
        let current = event.threads.filter(\.current)
        let candidates = !crashed.isEmpty ? crashed : !current.isEmpty ? current : event.threads
        guard candidates.count == 1, let stack = candidates[0].stacktrace,
            let component = StacktraceRule.component(stack, event.platform, frames)
        else { return nil }
        return .group(name: "thread", contributes: true, hint: nil, children: [component])
    }
}
