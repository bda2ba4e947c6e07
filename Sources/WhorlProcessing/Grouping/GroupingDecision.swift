import WhorlProtocol

/// The basis on which an event is grouped; computes the hashes and, on request, their explanation.
struct GroupingDecision {
    private enum Basis {
        case checksum(String)
        case custom([String])
        case exceptions(ExceptionRule)
        case stack(name: String, StackRule)
        case single(variant: String, GroupingComponent)
        case first(Version1Grouping)
    }

    /// The maximum length of a title in bytes; the values of variables may be long.
    private static let maxTitle = 512

    private let basis: Basis
    private let event: Event
    /// The parts of the fingerprint besides `{{ default }}`; empty if it does not contain `{{ default }}`.
    private let salt: [String]
    /// The fingerprint rule that applied.
    let rule: FingerprintRule?

    /// Evaluates the rules; the meter limits their total cost over all decisions about the event.
    init(_ event: Event, _ version: GroupingVersion, _ rules: GroupingRules, _ meter: RuleMeter) {
        self.event = event
        rule = rules.fingerprint.first { $0.matches(event, meter) }
        let fingerprint = rule?.fingerprint ?? event.fingerprint ?? ["{{ default }}"]
        let hasDefault = fingerprint.contains(where: CustomFingerprint.isDefault)
        salt = hasDefault && fingerprint.count > 1 ? fingerprint.filter { !CustomFingerprint.isDefault($0) } : []
        if let checksum = event.checksum, rule == nil {
            basis = .checksum(checksum)
        } else if !hasDefault {
            basis = .custom(fingerprint)
        } else {
            basis =
                version == .first ? .first(Version1Grouping(event)) : Self.computed(event, rules.stack, meter, version)
        }
    }

    private static func computed(
        _ event: Event,
        _ rules: StackRules?,
        _ meter: RuleMeter,
        _ version: GroupingVersion
    ) -> Basis {
        let context = StackContext(rules: rules, meter: meter, version: version)
        if let kind = ScriptErrorRule.component(event) { return .single(variant: "built-in", kind) }
        if let exceptions = ExceptionRule(event, context), !exceptions.leaves(ownOnly: false).isEmpty {
            return .exceptions(exceptions)
        }
        if let stack = ThreadRule.stack(of: event).map({ StackRule($0, event, context) }),
            stack.contributes
        {
            return .stack(name: "thread", stack)
        }
        if let stack = event.stacktrace.map({ StackRule($0, event, context) }), stack.contributes {
            return .stack(name: "stacktrace", stack)
        }
        if let report = SecurityRule.component(event) { return .single(variant: "security", report) }
        if let message = MessageRule.component(event) { return .single(variant: "default", message) }
        return .single(
            variant: "fallback",
            .value(
                name: "fallback",
                text: "<nothing to group by>",
                contributes: true,
                hint: "the event has no exception, stack or message"
            )
        )
    }

    /// The title of the rule, with variables replaced.
    var title: String? { rule?.title.map { CustomFingerprint.filled($0, event).prefix(bytes: Self.maxTitle) } }

    var hashes: [GroupingHash] { variants(explained: false).map(\.hash) }

    /// The variants, each with the component that explains it.
    var explained: [(hash: GroupingHash, component: GroupingComponent)] {
        variants(explained: true)
            .map { ($0.hash, $0.component ?? .group(name: "none", contributes: false, hint: nil, children: [])) }
    }

    private func variants(explained: Bool) -> [(hash: GroupingHash, component: GroupingComponent?)] {
        switch basis {
        case .checksum(let checksum):
            return [(ChecksumRule.hash(checksum), explained ? ChecksumRule.component(checksum) : nil)]
        case .custom(let parts):
            let component = CustomFingerprint.component(parts, event)
            return [(GroupingHash(variant: "custom", leaves: component.leaves), component)]
        case .single(let variant, let component):
            // The variant is part of the hash, so that a message does not equal a fingerprint with the same text.
            return [salted(variant, [variant] + component.leaves, component)]
        case .first(let first):
            return first.variants.map { salted($0.variant, $0.component.leaves, $0.component) }
        case .exceptions(let rule):
            return both(
                rule.hasOwn ? rule.leaves(ownOnly: true) : nil,
                rule.leaves(ownOnly: false),
                explained ? { rule.component(ownOnly: $0) } : nil
            )
        case .stack(let name, let stack):
            return both(
                stack.hasOwn ? [name] + stack.own.map(\.key) : nil,
                [name] + stack.all.map(\.key),
                explained
                    ? { .group(name: name, contributes: true, hint: nil, children: [stack.component(ownOnly: $0)]) }
                    : nil
            )
        }
    }

    private func both(
        _ own: [String]?,
        _ all: [String],
        _ component: ((Bool) -> GroupingComponent)?
    ) -> [(hash: GroupingHash, component: GroupingComponent?)] {
        let system = salted("system", all, component?(false))
        guard let own else { return [system] }
        let app = salted("app", own, component?(true))
        return app.hash.hash == system.hash.hash ? [app] : [app, system]
    }

    private func salted(
        _ variant: String,
        _ leaves: [String],
        _ component: GroupingComponent?
    ) -> (hash: GroupingHash, component: GroupingComponent?) {
        guard !salt.isEmpty else { return (GroupingHash(variant: variant, leaves: leaves), component) }
        let added = CustomFingerprint.component(salt, event)
        return (
            GroupingHash(variant: variant, leaves: leaves + added.leaves),
            component.map {
                .group(
                    name: "salted",
                    contributes: true,
                    hint: "the fingerprint extends the default grouping",
                    children: [$0, added]
                )
            }
        )
    }
}
