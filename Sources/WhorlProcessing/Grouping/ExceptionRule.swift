import WhorlProtocol

/// Grouping by exceptions: the type and the stack of each, or its message when no frame contributes.
struct ExceptionRule {
    private struct Part {
        let exception: ExceptionValue
        let stack: StackRule?
        /// The message, which contributes when no frame does.
        let fallback: String?
        let type: String?
        let extra: [GroupingComponent]
    }

    private let parts: [Part]
    let hasOwn: Bool

    init?(_ event: Event, _ context: StackContext) {
        guard !event.exceptions.isEmpty else { return nil }
        let family = PlatformFamily(event.platform)
        parts = ExceptionGroups.representatives(of: event.exceptions)
            .map { exception in
                let stack = exception.stacktrace.map { StackRule($0, event, context) }
                var extra = Self.nativeError(exception)
                let contributes = stack?.contributes ?? false
                if !contributes, family == .script {
                    if let network = ScriptErrorRule.network(exception) {
                        return Part(exception: exception, stack: stack, fallback: nil, type: nil, extra: [network])
                    }
                    if let host = ScriptErrorRule.host(event, exception) { extra.append(host) }
                }
                return Part(
                    exception: exception,
                    stack: stack,
                    // The text of a native error is localized; its code is not.
                    fallback: contributes || extra.contains { $0.leaves.isEmpty == false && family == .native }
                        ? nil : exception.value.map(context.parameterised),
                    type: exception.mechanism?.isSynthetic == true && contributes
                        ? nil : Self.type(exception, family, event.names, context.names),
                    extra: extra
                )
            }
        hasOwn = parts.contains { $0.stack?.hasOwn ?? false }
    }

    /// The contributing values, in order.
    func leaves(ownOnly: Bool) -> [String] {
        var leaves: [String] = []
        for part in parts {
            if let type = part.type { leaves.append(type) }
            for component in part.extra { leaves += component.leaves }
            if let stack = part.stack { leaves += (ownOnly ? stack.own : stack.all).map(\.key) }
            if let fallback = part.fallback { leaves.append(fallback) }
        }
        return leaves
    }

    func component(ownOnly: Bool) -> GroupingComponent {
        let children = parts.map { part -> GroupingComponent in
            let isSynthetic = part.type == nil && part.exception.type != nil
            let members =
                [
                    GroupingComponent.value(
                        "type",
                        part.type ?? part.exception.type,
                        ignored: isSynthetic ? "the exception is synthetic, or its type is not meaningful" : nil
                    )
                ] + part.extra + [
                    part.stack.map { $0.component(ownOnly: ownOnly) },
                    GroupingComponent.value(
                        "value",
                        part.fallback ?? part.exception.value.map(MessageText.parameterised),
                        ignored: part.fallback == nil ? "the stack says more" : nil
                    ),
                ]
            return .group(name: "exception", contributes: true, hint: nil, children: members.compactMap { $0 })
        }
        return .group(
            name: parts.count == 1 ? "exception" : "chained-exception",
            contributes: true,
            hint: nil,
            children: children
        )
    }

    /// The type name without the parts that change between builds, such as generated numbers and package prefixes.
    private static func type(
        _ exception: ExceptionValue,
        _ family: PlatformFamily,
        _ names: DemangledNames,
        _ budget: CleaningBudget
    ) -> String? {
        guard let type = exception.type, budget.allows(names[type] ?? type) else { return exception.type }
        switch family {
        case .python: return type.split(separator: ".").last.map(String.init) ?? type
        case .jvm: return JVMNames.module(type)
        case .dotnet: return DotNetNames.names(module: type, function: nil).module ?? type
        case .script: return ScriptNames.isMinified(type) ? nil : type
        case .go: return GoNames.function(type)
        case .native: return type.hasByte("<($") ? NativeNames.function(type, names) ?? type : type
        default: return type
        }
    }

    /// The domain and the code of an `NSError`, which are more specific than its text.
    private static func nativeError(_ exception: ExceptionValue) -> [GroupingComponent] {
        guard let error = exception.mechanism?.node.member("meta")?.member("ns_error") else { return [] }
        return [
            GroupingComponent.value("ns-error-domain", error.member("domain")?.string),
            GroupingComponent.value("ns-error-code", error.member("code").flatMap { $0.string ?? $0.numberText }),
        ]
        .compactMap { $0 }
    }
}
