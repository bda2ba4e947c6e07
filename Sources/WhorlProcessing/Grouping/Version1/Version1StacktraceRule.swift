import WhorlProtocol

/// Grouping by the frames of a stack.
enum Version1StacktraceRule {
    /// The variants of the top-level stack of an event, which some clients send without an exception.
    static func variants(_ event: Event) -> Version1Variants? {
        event.stacktrace.flatMap { variants($0, event.platform) }
    }

    /// Both variants of a stack, with one pass over the frames; nil when no frame contributes.
    static func variants(_ stack: Stacktrace, _ platform: String) -> Version1Variants? {
        var all: [GroupingComponent] = []
        var own: [GroupingComponent] = []
        var previous: Frame?
        for frame in stack.frames {
            var component = Version1FrameRule.component(frame, platform)
            if let before = previous, isRecursion(before, frame) {
                component = component.ignored("the same call as the frame before")
            }
            all.append(component)
            own.append(frame.inApp == true ? component : component.ignored("not part of the application"))
            previous = frame
        }
        func together(_ frames: [GroupingComponent]) -> GroupingComponent {
            .group(name: "stacktrace", contributes: true, hint: nil, children: frames)
        }
        let system = together(all)
        guard system.contributes else { return nil }
        let app = together(own)
        return Version1Variants(app: app.contributes ? app : nil, system: system)
    }

    private static func isRecursion(_ first: Frame, _ second: Frame) -> Bool {
        first.function == second.function && first.lineno == second.lineno && first.colno == second.colno
            && first.module == second.module && first.filename == second.filename && first.absPath == second.absPath
            && first.package == second.package
    }
}
