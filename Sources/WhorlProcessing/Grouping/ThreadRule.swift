import WhorlProtocol

/// Grouping by the stack of the relevant thread: the crashed one, else the current one, else the only one.
enum ThreadRule {
    static func stack(of event: Event) -> Stacktrace? {
        let crashed = event.threads.filter(\.crashed)
        let current = event.threads.filter(\.current)
        let candidates = !crashed.isEmpty ? crashed : !current.isEmpty ? current : event.threads
        return candidates.count == 1 ? candidates[0].stacktrace : nil
    }
}
