import WhorlProtocol

/// Grouping by exceptions: of each its type and its stack, or its message where the stack tells nothing.
enum ExceptionRule {
    static func component(_ event: Event, _ frames: FrameSelection) -> GroupingComponent? {
        guard !event.exceptions.isEmpty else { return nil }
        let selected = ExceptionGroups.representatives(of: event.exceptions)
        let chain = selected.map { component($0, event, frames) }
        // In-app grouping needs a frame of the application somewhere in the chain.
        if frames == .inApp, !selected.contains(where: { hasOwnFrames($0, event) }) { return nil }
        return .group(
            name: chain.count == 1 ? "exception" : "chained-exception",
            contributes: true,
            hint: nil,
            children: chain
        )
    }

    private static func hasOwnFrames(_ exception: ExceptionValue, _ event: Event) -> Bool {
        exception.stacktrace.flatMap { StacktraceRule.component($0, event.platform, .inApp) }?.contributes ?? false
    }

    private static func component(
        _ exception: ExceptionValue,
        _ event: Event,
        _ frames: FrameSelection
    ) -> GroupingComponent {
        let stack = exception.stacktrace.flatMap { StacktraceRule.component($0, event.platform, frames) }
        let hasStack = stack?.contributes ?? false
        let isSynthetic = exception.mechanism?.isSynthetic ?? false
        let children = [
            GroupingComponent.value(
                "type",
                exception.type,
                ignored: isSynthetic ? "the exception was made up to carry a stack" : nil
            ),
            GroupingComponent.value(
                "value",
                exception.value.map(MessageRule.parameterised),
                ignored: hasStack ? "the stack says more" : nil
            ),
            stack,
        ]
        .compactMap { $0 }
        return .group(name: "exception", contributes: true, hint: nil, children: children)
    }
}
