import WhorlProtocol

/// Grouping by exceptions: the type and the stack of each, or its message when it has no contributing stack.
enum Version1ExceptionRule {
    static func variants(_ event: Event) -> Version1Variants? {
        guard !event.exceptions.isEmpty else { return nil }
        let parts = ExceptionGroups.representatives(of: event.exceptions)
            .map { exception in
                (exception, exception.stacktrace.flatMap { Version1StacktraceRule.variants($0, event.platform) })
            }
        func chain(_ stack: (Version1Variants?) -> GroupingComponent?) -> GroupingComponent {
            .group(
                name: parts.count == 1 ? "exception" : "chained-exception",
                contributes: true,
                hint: nil,
                children: parts.map { component($0, stack($1)) }
            )
        }
        // The in-app variant needs at least one in-app frame in the chain.
        let hasOwnFrames = parts.contains { $0.1?.app != nil }
        return Version1Variants(app: hasOwnFrames ? chain { $0?.app } : nil, system: chain { $0?.system })
    }

    private static func component(_ exception: ExceptionValue, _ stack: GroupingComponent?) -> GroupingComponent {
        let isSynthetic = exception.mechanism?.isSynthetic ?? false
        let children = [
            GroupingComponent.value(
                "type",
                exception.type,
                ignored: isSynthetic ? "the exception is synthetic" : nil
            ),
            GroupingComponent.value(
                "value",
                exception.value.map(Version1MessageRule.parameterised),
                ignored: stack != nil ? "the stack says more" : nil
            ),
            stack,
        ]
        .compactMap { $0 }
        return .group(name: "exception", contributes: true, hint: nil, children: children)
    }
}
