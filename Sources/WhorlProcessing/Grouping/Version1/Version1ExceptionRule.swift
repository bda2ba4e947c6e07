import WhorlProtocol

/// Grouping by exceptions: of each its type and its stack, or its message where the stack tells nothing.
enum Version1ExceptionRule {
    static func variants(_ event: Event) -> FirstVariants? {
        guard !event.exceptions.isEmpty else { return nil }
        let parts = ExceptionGroups.representatives(of: event.exceptions)
            .map { exception in
                (exception, exception.stacktrace.flatMap { Version1StacktraceRule.variants($0, event.platform) })
            }
        func chain(_ stack: (FirstVariants?) -> GroupingComponent?) -> GroupingComponent {
            .group(
                name: parts.count == 1 ? "exception" : "chained-exception",
                contributes: true,
                hint: nil,
                children: parts.map { component($0, stack($1)) }
            )
        }
        // In-app grouping needs a frame of the application somewhere in the chain.
        let hasOwnFrames = parts.contains { $0.1?.app != nil }
        return FirstVariants(app: hasOwnFrames ? chain { $0?.app } : nil, system: chain { $0?.system })
    }

    private static func component(_ exception: ExceptionValue, _ stack: GroupingComponent?) -> GroupingComponent {
        let isSynthetic = exception.mechanism?.isSynthetic ?? false
        let children = [
            GroupingComponent.value(
                "type",
                exception.type,
                ignored: isSynthetic ? "the exception was made up to carry a stack" : nil
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
