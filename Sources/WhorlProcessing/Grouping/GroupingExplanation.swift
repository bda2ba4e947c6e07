import WhorlProtocol

/// Why an event is grouped as it is: every variant with the parts that counted and those that did not, and the rule that
/// decided.
public struct GroupingExplanation: Sendable {
    /// One hash with what it was made of.
    public struct Variant: Sendable {
        /// The hash.
        public let hash: GroupingHash
        /// What it was made of.
        public let component: GroupingComponent
        /// The algorithm.
        public let version: GroupingVersion
    }

    /// The variants, the leading one first.
    public let variants: [Variant]
    /// The fingerprint rule that applied, as it is written.
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

    /// The explanation by the name of each variant, as the API and the command show it.
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
        case "app": "the frames of the application"
        case "system": "all frames"
        case "custom": "the fingerprint of the client or of a rule"
        case "checksum": "the checksum of the client"
        case "built-in": "a kind of error that browsers name"
        case "security": "the directive and the host that was blocked"
        case "default": "the message"
        default: "nothing to group by"
        }
    }
}
