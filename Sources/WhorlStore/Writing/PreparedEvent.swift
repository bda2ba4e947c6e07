import WhorlProcessing
import WhorlProtocol

/// An event with what its row needs, made before a connection is taken.
package struct PreparedEvent: Sendable {
    /// What queries need of the event; without its bytes.
    package let event: ProcessedEvent
    /// How ``payload`` is compressed, by the number that stands on the row.
    package let codec: Int16
    /// The payload's bytes, compressed.
    package let payload: [UInt8]
    /// What was changed before the payload was written, as JSON; nil when nothing was.
    package let notes: String?
    /// Whether it comes from the spool, perhaps days after it arrived.
    package var isReplay = false
    let hashKey: ReferenceCache.HashKey
    /// Further hashes that lead to the same issue.
    let aliasKeys: [ReferenceCache.HashKey]
    let environmentKey: ReferenceCache.NameKey
    let releaseKey: ReferenceCache.NameKey?
    /// The tags as one text, separated by U+001F.
    let tags: String

    /// Compresses the payload.
    package init(_ event: ProcessedEvent, _ codec: PayloadCodec) {
        let (number, payload) = codec.compress(event.payload)
        self.init(event, codec: number, payload: payload)
    }

    /// Takes the payload as it was compressed before.
    package init(_ event: ProcessedEvent, codec: Int16, payload: [UInt8]) {
        // The bytes themselves are not needed any more: a slice of them would keep the whole body alive.
        self.event = event.withoutPayload
        self.codec = codec
        self.payload = payload
        notes = EventNotes.text(event.storedNotes)
        hashKey = .init(projectID: event.projectID, hash: event.hashes.first?.hash ?? [])
        aliasKeys = event.hashes.dropFirst().map { .init(projectID: event.projectID, hash: $0.hash) }
        environmentKey = .init(projectID: event.projectID, name: event.environment)
        releaseKey = event.release.map { .init(projectID: event.projectID, name: $0) }
        var tags = ""
        for tag in event.tags {
            if !tags.isEmpty { tags += "\u{1F}" }
            tags += tag.key
            tags += "="
            // The separator cannot be part of a value.
            tags += tag.value.utf8.contains(0x1F) ? tag.value.replacing("\u{1F}", with: " ") : tag.value
        }
        self.tags = tags
    }

    private init(withoutPayloadOf full: PreparedEvent) {
        event = full.event
        codec = PayloadCodec.none
        payload = []
        notes = nil
        hashKey = full.hashKey
        aliasKeys = full.aliasKeys
        environmentKey = full.environmentKey
        releaseKey = full.releaseKey
        tags = full.tags
        isReplay = full.isReplay
    }

    /// The same event without its payload, for a fingerprint that exceeds its payloads per minute: the event counts, and
    /// its row stays small.
    var withoutPayload: PreparedEvent { PreparedEvent(withoutPayloadOf: self) }
}
