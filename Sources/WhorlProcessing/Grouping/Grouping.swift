import WhorlProtocol

/// Computes the grouping hashes of an event.
///
/// The hashes depend on the first of these that the event has: a matching fingerprint rule, a checksum, a fingerprint
/// of the client, a known kind of browser error, exceptions, the relevant thread, a stack, a security report, a
/// message. Events with none of these form one group.
/// If a fingerprint contains `{{ default }}` and other parts, the other parts are added to the computed hashes as a
/// salt.
public struct Grouping: Sendable {
    /// The hashes, the leading one first: over the in-app frames, then over all frames.
    ///
    /// During a transition between versions, the hashes of the previous version come first.
    public let hashes: [GroupingHash]
    /// The title from a fingerprint rule.
    public let title: String?
    /// The text of the rule that exceeded the cost limit for this event; this rule and later rules did not apply.
    public let costlyRule: String?

    /// Computes the grouping of one event.
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

/// A hash of an event and its variant.
public struct GroupingHash: Sendable, Equatable {
    /// The variant: `app` for the in-app frames, `system` for all frames, or the rule that decided, such as `custom`.
    public let variant: String
    /// The 16 bytes.
    public let hash: [UInt8]

    init(variant: String, hash: [UInt8]) {
        self.variant = variant
        self.hash = hash
    }

    init(variant: String, leaves: [String]) {
        self.variant = variant
        // The separator does not occur in texts, so ["ab", "c"] and ["a", "bc"] have different hashes.
        hash = Digest.md5(leaves.joined(separator: "\u{0}"))
    }
}
