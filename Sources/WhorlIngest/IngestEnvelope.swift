import Foundation
import WhorlProtocol

/// The items of a request, with what its envelope says about them.
struct IngestEnvelope: Sendable {
    /// The id that the envelope names; it takes precedence over the event's own.
    let eventID: EventID?
    let dsn: DSN?
    let sentAt: Date?
    let items: [Item]
    /// Size of the decoded body.
    let bytes: Int
    /// Whose share of memory the request uses.
    let owners: [MemoryShares.Owner]

    /// An item: its type and its bytes.
    struct Item: Sendable {
        let type: String
        let payload: ArraySlice<UInt8>
    }

    init(envelope body: [UInt8], maxItems: Int, _ owners: [MemoryShares.Owner]) throws(IngestRefusal) {
        let envelope: Envelope
        do { envelope = try Envelope(body[...], limits: .init(items: maxItems)) } catch {
            if error.isTooLarge { throw .tooLarge("bad envelope: \(error.description)") }
            throw .badRequest("bad envelope", .invalidEnvelope, causes: [error.description])
        }
        eventID = envelope.eventID
        dsn = envelope.dsn
        sentAt = envelope.header.member("sent_at")?.string.flatMap { Timestamp.parse($0) }
        items = envelope.items.map { Item(type: $0.type, payload: $0.payload) }
        bytes = body.count
        self.owners = owners
    }

    /// The body of `/store/`: one event without an envelope.
    init(event body: [UInt8], _ owners: [MemoryShares.Owner]) {
        eventID = nil
        dsn = nil
        sentAt = nil
        items = [Item(type: "event", payload: body[...])]
        bytes = body.count
        self.owners = owners
    }
}
