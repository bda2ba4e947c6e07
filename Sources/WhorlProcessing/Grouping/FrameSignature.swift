import WhorlProtocol

/// What events have in common when their hashes differ: the frames that count.
public enum FrameSignature {
    /// The frames of the application in all exceptions and the thread that matters; all frames where none is its own.
    public static func frames(of event: Event, _ settings: GroupingSettings) -> Set<String> {
        let stacks =
            event.exceptions.compactMap(\.stacktrace)
            + [event.exceptions.isEmpty ? ThreadRule.stack(of: event) ?? event.stacktrace : nil].compactMap(\.self)
        let context = StackContext(rules: settings.rules.stack, meter: RuleMeter(), version: settings.version)
        let rules = stacks.map { StackRule($0, event, context) }
        let own = rules.flatMap { $0.own.map(\.key) }
        return Set(own.isEmpty ? rules.flatMap { $0.all.map(\.key) } : own)
    }
}
