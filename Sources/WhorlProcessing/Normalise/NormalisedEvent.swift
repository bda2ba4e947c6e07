import Foundation
import WhorlProtocol

/// An event with default values and corrected times; malformed values are left out and noted.
///
/// Normalisation is deterministic, so that processing the stored bytes again gives the same result as on arrival.
public struct NormalisedEvent: Sendable {
    /// The event with its notes.
    public private(set) var event: Event
    /// The event id: from the request, else from the payload, else a new one.
    public let eventID: EventID
    /// The time of the event, corrected for clock drift and limited to the valid range.
    public let occurredAt: Date
    /// The level, or its default.
    public let level: Level
    /// The type, recomputed from the content of the event.
    public let type: String
    /// The release, if it is valid.
    public let release: String?
    /// The build, if it is valid.
    public let dist: String?
    /// The environment, if it is valid.
    public let environment: String?
    /// The valid tags and the derived tags.
    public let tags: [Event.Tag]
    /// The address of the user, with `{{auto}}` resolved.
    public let userAddress: String?
    /// The client address, if the event asked for it.
    public let filledAddress: String?
    /// The text that identifies the user.
    public let userIdentity: String?

    /// Normalises an event; `context` contains the data of its request.
    public init(_ event: Event, _ context: EventContext) {
        var notes = NoteList(event.notes)
        eventID = context.eventID ?? event.eventID ?? .random()
        occurredAt = EventTime.occurred(event.timestamp, context, &notes)
        level = event.level ?? (event.type == "transaction" ? .info : .error)
        type = eventType(of: event)
        // These values are truncated in the database columns, but not in the payload (protocol facts, section 4).
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

/// The type of an event from its content; the declared type applies only to browser reports.
private func eventType(of event: Event) -> String {
    if !event.exceptions.isEmpty { return "error" }
    for key in ["csp", "hpkp", "expectct", "expectstaple"] where event.type == key { return key }
    return "default"
}

/// A bounded list of the notes of an event.
struct NoteList {
    private(set) var notes: [EventNote]

    init(_ notes: [EventNote]) { self.notes = notes }

    /// Adds a note unless the list is full; the path is evaluated only if the note is added.
    mutating func add(_ path: @autoclosure () -> String, _ reason: String) {
        if notes.count < 200 { notes.append(EventNote(path(), reason)) }
    }
}
