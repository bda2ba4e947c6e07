import WhorlProtocol

/// Decides which events belong together (precedence as in the protocol facts, section 6.1).
///
/// checksum → custom fingerprint → exceptions → threads → stack → message → one group for everything without content.
/// A fingerprint that names `{{ default }}` beside other parts salts the computed hash with them.
public struct Grouping: Sendable {
    /// The hashes, the leading one first: over the application's frames, then over all frames.
    public let hashes: [GroupingHash]

    /// Groups one event.
    public init(_ event: Event) {
        if let checksum = event.checksum {
            hashes = [ChecksumRule.hash(checksum)]
            return
        }
        let fingerprint = event.fingerprint ?? ["{{ default }}"]
        guard fingerprint.contains(where: CustomFingerprint.isDefault) else {
            hashes = [CustomFingerprint.hash(fingerprint, event)]
            return
        }
        let computed = Self.computed(event)
        hashes = fingerprint.count == 1 ? computed : computed.map { CustomFingerprint.salted($0, fingerprint, event) }
    }

    private static func computed(_ event: Event) -> [GroupingHash] {
        for rule in [ExceptionRule.variants, ThreadRule.variants, StacktraceRule.variants] {
            guard let variants = rule(event), variants.system.contributes else { continue }
            let all = GroupingHash(variant: "system", components: variants.system)
            guard let app = variants.app, app.contributes else { return [all] }
            let own = GroupingHash(variant: "app", components: app)
            return own.hash == all.hash ? [own] : [own, all]
        }
        if let message = MessageRule.component(event) { return [GroupingHash(variant: "default", components: message)] }
        let nothing = GroupingComponent.value(
            name: "fallback",
            text: "<nothing to group by>",
            contributes: true,
            hint: "the event has no exception, stack or message"
        )
        return [GroupingHash(variant: "fallback", components: nothing)]
    }
}

/// What an event is grouped by, once over the application's frames and once over all of them.
struct GroupingVariants {
    /// Nil when no frame of the application counts.
    var app: GroupingComponent?
    var system: GroupingComponent
}
