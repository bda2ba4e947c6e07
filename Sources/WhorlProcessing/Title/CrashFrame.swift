import WhorlProtocol

/// The frame that people mean by "where it happened": the last one of the application, else the last one.
enum CrashFrame {
    private static let unnamed: Set<String> = ["<redacted>", "<unknown>"]

    static func frame(of event: Event) -> Frame? {
        let stack =
            event.exceptions.last { $0.stacktrace != nil }?.stacktrace ?? event.stacktrace
            ?? event.threads.first { $0.crashed || $0.current }?.stacktrace
        return stack.flatMap { frame(in: $0.frames) }
    }

    static func frame(in frames: [Frame]) -> Frame? {
        let named = frames.filter { $0.function.map { !unnamed.contains($0) } ?? false }
        return named.last { $0.inApp == true } ?? named.last ?? frames.last { $0.inApp == true } ?? frames.last
    }
}
