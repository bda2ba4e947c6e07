import Foundation
import WhorlProtocol

/// An event with defaults filled in, clocks corrected, and what is malformed left out and noted.
///
/// Deterministic, so that the page that shows an event makes the same of the stored bytes as the way in did.
public struct NormalisedEvent: Sendable {
    /// The event with its notes.
    public private(set) var event: Event
    /// Its identity: the request's, else its own, else a new one.
    public let eventID: EventID
    /// When it happened, drift removed and kept within bounds.
    public let occurredAt: Date
    /// The level, with its default.
    public let level: Level
    /// The kind, recomputed from what the event holds.
    public let type: String
    /// The release, when it is well formed.
    public let release: String?
    /// The build.
    public let dist: String?
    /// The environment, when it is well formed.
    public let environment: String?
    /// The tags, cleaned, with those made from other members.
    public let tags: [Event.Tag]
    /// The user's address, `{{auto}}` resolved.
    public let userAddress: String?
    /// The client's address, if the event asked for it.
    public let filledAddress: String?
    /// What tells this user from others.
    public let userIdentity: String?

    /// Normalises an event; `context` is what its request told.
    public init(_ event: Event, _ context: EventContext) {
        var notes = NoteList(event.notes)
        eventID = context.eventID ?? event.eventID ?? .random()
        occurredAt = EventTime.occurred(event.timestamp, context, &notes)
        level = event.level ?? (event.type == "transaction" ? .info : .error)
        type = eventType(of: event)
        // Cut where they are kept for queries; the payload has them whole (limits: protocol facts, section 4).
        for (path, value, limit) in [
            ("logger", event.logger, 64), ("platform", event.platform, 64), ("transaction", event.transaction, 200),
        ] where value?.utf8.count ?? 0 > limit { notes.add(path, "value_too_long") }
        release = ReleaseRule.release(event.release, &notes)
        dist = ReleaseRule.dist(event.dist, &notes)
        var own = TagRule.cleaned(event.tags, &notes)
        environment = EnvironmentRule.environment(event.environment, &own, &notes)
        (userAddress, filledAddress) = AddressRule.address(of: event, client: context.clientAddress, &notes)
        userIdentity = event.user?.identity(address: userAddress) ?? userAddress.map { "ip:\($0)" }
        tags = TagRule.merged(
            own,
            DerivedTags.tags(
                of: event,
                level: level,
                environment: environment,
                release: release,
                dist: dist,
                user: userIdentity
            )
        )
        self.event = event
        self.event.notes = notes.notes
    }
}

/// The kind of an event by what it holds; what the sender calls it counts only for browser reports.
private func eventType(of event: Event) -> String {
    if !event.exceptions.isEmpty { return "error" }
    for key in ["csp", "hpkp", "expectct", "expectstaple"] where event.type == key { return key }
    return "default"
}

/// The notes of an event while rules add to them.
struct NoteList {
    private(set) var notes: [EventNote]

    init(_ notes: [EventNote]) { self.notes = notes }

    /// Adds a note while there is room; the path is worked out only then.
    mutating func add(_ path: @autoclosure () -> String, _ reason: String) {
        if notes.count < 200 { notes.append(EventNote(path(), reason)) }
    }
}
