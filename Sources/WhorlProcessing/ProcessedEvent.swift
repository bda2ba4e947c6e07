import Foundation
import WhorlProtocol

/// An event that is ready to be stored: what queries need, taken out, beside the bytes as they were received.
public struct ProcessedEvent: Sendable {
    /// The project it belongs to.
    public let projectID: Int
    /// Its identity within the project.
    public let eventID: EventID
    /// When the request arrived; it decides the day under which the event is kept, and never changes.
    public let receivedAt: Date
    /// When it happened, by the sender's clock, drift removed.
    public let occurredAt: Date
    /// When the sender says that it sent it; nil when it does not say.
    public let sentAt: Date?
    /// How serious it is.
    public let level: Level
    /// `error` where there is an exception, `csp` and its like for browser reports, else `default`.
    public let type: String
    /// The kind by the sender's own word; `transaction` means that it is no error at all.
    public let declaredType: String?
    /// The language.
    public let platform: String
    /// The logger's name.
    public let logger: String?
    /// The first line that people see.
    public let title: String
    /// Where it happened, for people.
    public let culprit: String
    /// The file of the crash frame.
    public let location: String?
    /// The parts of which the title was made.
    public let metadata: JSON
    /// Where the application runs; empty when it did not say.
    public let environment: String
    /// The version of the application.
    public let release: String?
    /// The build of that version.
    public let dist: String?
    /// Its own tags and those made from other members, keys unique.
    public let tags: [Event.Tag]
    /// A hash of what tells users apart; nil when no user is named.
    public let userHash: [UInt8]?
    /// The hashes by which it is grouped, the leading one first.
    public let hashes: [GroupingHash]
    /// Whether nobody handled the exception.
    public let isUnhandled: Bool
    /// The address that the event asked to be filled in; nil when it did not ask.
    public let clientAddress: String?
    /// The SDK that sent it, as `name/version`; nil when it did not say.
    public let sdk: String?
    /// The bytes of the event, trimmed and scrubbed, otherwise as they were received.
    public private(set) var payload: ArraySlice<UInt8>
    /// What was changed or left out.
    public let notes: [EventNote]
    /// Those of the notes that cannot be found again in the payload: what was trimmed and scrubbed before.
    public let storedNotes: [EventNote]

    /// The same without its bytes.
    public var withoutPayload: ProcessedEvent {
        var event = self
        event.payload = []
        return event
    }
}

/// What is known of an event besides its own bytes.
public struct EventContext: Sendable {
    /// The project that the key belongs to.
    public var projectID: Int
    /// The identity that the request names; it wins over the payload's.
    public var eventID: EventID?
    /// When the request arrived.
    public var receivedAt: Date
    /// When the sender says that it sent, for clocks that are wrong.
    public var sentAt: Date?
    /// Where the request came from.
    public var clientAddress: String?

    /// The circumstances of one event.
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
