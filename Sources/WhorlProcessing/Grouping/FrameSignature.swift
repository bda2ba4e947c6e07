import WhorlProtocol

/// The contributing frames of an event, which show the similarity of events with different hashes.
public enum FrameSignature {
    /// The in-app frames of all exceptions or, without exceptions, of the relevant thread; all frames if none is
    /// in-app.
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
