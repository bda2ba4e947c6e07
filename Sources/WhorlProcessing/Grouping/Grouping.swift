import WhorlProtocol

/// Decides which events belong together.
///
/// By the first of these that an event has: a fingerprint rule, a checksum, a fingerprint of the client, a kind that browsers
/// name, exceptions, the thread that matters, a stack, a security report, a message. What has nothing is one group. A
/// fingerprint that names `{{ default }}` beside other parts salts the computed hashes with them.
public struct Grouping: Sendable {
    /// The hashes, the leading one first: over the application's frames, then over all frames, then those of the version that
    /// the project is moving to.
    public let hashes: [GroupingHash]
    /// The title that a fingerprint rule gives.
    public let title: String?
    /// The rule at which the rules became too costly for this event, as it is written; it and later ones did not apply.
    public let costlyRule: String?

    /// Groups one event.
    public init(_ event: Event, _ settings: GroupingSettings = GroupingSettings()) {
        let meter = RuleMeter()
        let decision = GroupingDecision(event, settings.version, settings.rules, meter)
        var hashes = decision.hashes
        if let previous = settings.previous, previous != settings.version {
            let leading = GroupingDecision(event, previous, settings.rules, meter).hashes
            hashes = leading + hashes.filter { new in !leading.contains { $0.hash == new.hash } }
        }
        self.hashes = hashes
        title = decision.title
        costlyRule = meter.exceededBy
    }
}

/// One way to group an event: the 16 bytes, and what they were made of.
public struct GroupingHash: Sendable, Equatable {
    /// `app` for the application's own frames, `system` for all frames, or the rule that decided, such as `custom`.
    public let variant: String
    /// The 16 bytes.
    public let hash: [UInt8]

    init(variant: String, hash: [UInt8]) {
        self.variant = variant
        self.hash = hash
    }

    init(variant: String, leaves: [String]) {
        self.variant = variant
        // A separator that no text holds keeps ["ab", "c"] apart from ["a", "bc"].
        hash = Digest.md5(leaves.joined(separator: "\u{0}"))
    }
}
