import WhorlProtocol

/// The frame that people mean by "where it happened": the last one of the application, else the last one.
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

    /// The function as people write it, where its name is mangled.
    static func function(of frame: Frame, _ event: Event) -> String? {
        frame.function.map { event.names[$0] ?? $0 }
    }
}
