import WhorlProtocol

/// Selects the frame where the event happened: the last in-app frame, else the last frame.
enum CrashFrame {
    private static let unnamed: Set<String> = ["<redacted>", "<unknown>"]

    static func frame(of event: Event) -> Frame? {
        let stack =
            event.exceptions.last { $0.stacktrace != nil }?.stacktrace ?? event.stacktrace
            ?? event.threads.first { $0.crashed || $0.current }?.stacktrace
        return stack.flatMap { frame(in: $0.frames, event) }
    }

    static func frame(in frames: [Frame], _ event: Event) -> Frame? {
        func isOwn(_ frame: Frame) -> Bool {
            InAppRule.isOwn(
                frame,
                PlatformFamily(frame.platform ?? event.platform),
                function: function(of: frame, event)
            )
        }
        let named = frames.filter { $0.function.map { !unnamed.contains($0) } ?? false }
        return named.last(where: isOwn) ?? named.last ?? frames.last(where: isOwn) ?? frames.last
    }

    /// The function name, demangled if necessary.
    static func function(of frame: Frame, _ event: Event) -> String? {
        frame.function.map { event.names[$0] ?? $0 }
    }
}
