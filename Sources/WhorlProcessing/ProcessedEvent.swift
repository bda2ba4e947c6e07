import Foundation
import WhorlProtocol

/// An event that is ready to be stored: the values for queries, and the payload.
public struct ProcessedEvent: Sendable {
    /// The project of the event.
    public let projectID: Int
    /// The event id, unique within the project.
    public let eventID: EventID
    /// The time when the request arrived; it determines the day under which the event is stored, and never changes.
    public let receivedAt: Date
    /// The time of the event by the clock of the sender, corrected for clock drift.
    public let occurredAt: Date
    /// The time when the sender sent the event; nil when unknown.
    public let sentAt: Date?
    /// The severity.
    public let level: Level
    /// The type: `error` for an exception, `csp` and similar for browser reports, else `default`.
    public let type: String
    /// The type that the sender declares; `transaction` means that the event is not an error.
    public let declaredType: String?
    /// The platform, such as the programming language.
    public let platform: String
    /// The name of the logger.
    public let logger: String?
    /// The title for display.
    public let title: String
    /// The culprit: a readable description of where the event happened.
    public let culprit: String
    /// The file name of the crash frame.
    public let location: String?
    /// The parts of the title.
    public let metadata: JSON
    /// The environment of the application; empty when unknown.
    public let environment: String
    /// The version of the application.
    public let release: String?
    /// The build of that version.
    public let dist: String?
    /// The tags of the event and the derived tags, with unique keys.
    public let tags: [Event.Tag]
    /// A hash of the text that identifies the user; nil when the user is unknown.
    public let userHash: [UInt8]?
    /// The grouping hashes, the leading one first.
    public let hashes: [GroupingHash]
    /// Whether an exception is unhandled.
    public let isUnhandled: Bool
    /// The client address, if the event asked for it; else nil.
    public let clientAddress: String?
    /// The SDK of the sender, as `name/version`; nil when unknown.
    public let sdk: String?
    /// The received bytes of the event, trimmed and scrubbed.
    public private(set) var payload: ArraySlice<UInt8>
    /// The notes about all values that were changed or left out.
    public let notes: [EventNote]
    /// The notes that cannot be recreated from the payload, because they describe trimmed and scrubbed values.
    public let storedNotes: [EventNote]

    /// A copy of the event with an empty payload.
    public var withoutPayload: ProcessedEvent {
        var event = self
        event.payload = []
        return event
    }
}

/// The data of the request that contains an event.
public struct EventContext: Sendable {
    /// The project of the key.
    public var projectID: Int
    /// The event id in the request, which takes precedence over the id in the payload.
    public var eventID: EventID?
    /// The time when the request arrived.
    public var receivedAt: Date
    /// The time when the sender sent the event, used to correct clock drift.
    public var sentAt: Date?
    /// The address of the client.
    public var clientAddress: String?

    /// Creates the context of one event.
    public init(
        projectID: Int,
        eventID: EventID?,
        receivedAt: Date,
        sentAt: Date? = nil,
        clientAddress: String? = nil
    ) {
        self.projectID = projectID
        self.eventID = eventID
        self.receivedAt = receivedAt
        self.sentAt = sentAt
        self.clientAddress = clientAddress
    }
}
