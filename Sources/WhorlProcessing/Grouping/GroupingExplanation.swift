import WhorlProtocol

/// An explanation of the grouping of an event: all variants with their components, and the fingerprint rule that
/// applied.
public struct GroupingExplanation: Sendable {
    /// A hash with the component that explains it.
    public struct Variant: Sendable {
        /// The hash.
        public let hash: GroupingHash
        /// The component from which the hash is computed.
        public let component: GroupingComponent
        /// The version of the algorithm.
        public let version: GroupingVersion
    }

    /// The variants, the leading one first.
    public let variants: [Variant]
    /// The text of the fingerprint rule that applied.
    public let rule: String?

    /// Explains one event.
    public init(_ event: Event, _ settings: GroupingSettings = GroupingSettings()) {
        var variants: [Variant] = []
        var rule: String?
        let meter = RuleMeter()
        for version in [settings.previous, settings.version].compactMap(\.self) {
            let decision = GroupingDecision(event, version, settings.rules, meter)
            rule = decision.rule?.text
            for (hash, component) in decision.explained
            where !variants.contains(where: { $0.hash.hash == hash.hash }) {
                variants.append(Variant(hash: hash, component: component, version: version))
            }
        }
        self.variants = variants
        self.rule = rule
    }

    /// The explanation as JSON with one member per variant, for the API and the `explain` command.
    public var json: JSON {
        var members: [(key: String, value: JSON)] = []
        for (place, variant) in variants.enumerated() {
            let name =
                variant.hash.variant
                + (variant.version == variants.last?.version ? "" : "-v\(variant.version.rawValue)")
            members.append(
                (
                    name,
                    [
                        "key": .string(name), "type": .string(Self.kind(variant.hash.variant)),
                        "hash": .string(hexString(variant.hash.hash)), "leading": .bool(place == 0),
                        "version": .int(variant.version.rawValue),
                        "description": .string(Self.description(variant.hash.variant)),
                        "component": variant.component.json,
                    ]
                )
            )
        }
        return ["rule": .optional(rule), "variants": .object(members)]
    }

    private static func kind(_ variant: String) -> String {
        switch variant {
        case "custom": "custom-fingerprint"
        case "checksum", "fallback": variant
        default: "component"
        }
    }

    private static func description(_ variant: String) -> String {
        switch variant {
        case "app": "the in-app frames"
        case "system": "all frames"
        case "custom": "the fingerprint of the client or of a rule"
        case "checksum": "the checksum of the client"
        case "built-in": "a known kind of browser error"
        case "security": "the directive and the blocked host"
        case "default": "the message"
        default: "nothing to group by"
        }
    }
}
