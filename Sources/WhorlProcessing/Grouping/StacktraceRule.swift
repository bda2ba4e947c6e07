import WhorlProtocol

/// Grouping by the frames of a stack.
enum StacktraceRule {
    /// The stack beside the event's members, of clients that send one without an exception.
    static func component(_ event: Event, _ frames: FrameSelection) -> GroupingComponent? {
        event.stacktrace.flatMap { component($0, event.platform, frames) }
    }

    static func component(
        _ stack: Stacktrace,
        _ platform: String,
        _ selection: FrameSelection
    ) -> GroupingComponent? {
        var children: [GroupingComponent] = []
        var previous: Frame?
        for frame in stack.frames {
            var component = FrameRule.component(frame, platform)
            if let before = previous, isRecursion(before, frame) {
                component = component.ignored("the same call as the frame before")
            } else if selection == .inApp, frame.inApp != true {
                component = component.ignored("not part of the application")
            }
            children.append(component)
            previous = frame
        }
        let stack = GroupingComponent.group(name: "stacktrace", contributes: true, hint: nil, children: children)
        return stack.contributes ? stack : nil
    }

    private static func isRecursion(_ first: Frame, _ second: Frame) -> Bool {
        first.function == second.function && first.lineno == second.lineno && first.colno == second.colno
            && first.module == second.module && first.filename == second.filename && first.absPath == second.absPath
            && first.package == second.package
    }
}
