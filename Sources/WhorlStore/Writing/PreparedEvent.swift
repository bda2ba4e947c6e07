import WhorlProcessing
import WhorlProtocol

/// An event with all data for its row, prepared before a connection is taken.
package struct PreparedEvent: Sendable {
    /// The event without its payload.
    package let event: ProcessedEvent
    /// The codec number of ``payload``, which is stored in the row.
    package let codec: Int16
    /// The compressed payload.
    package let payload: [UInt8]
    /// The changes that were made to the event before its payload was written, as JSON; nil when there were none.
    package let notes: String?
    /// Whether the event comes from the spool, possibly days after it arrived.
    package var isReplay = false
    let hashKey: ReferenceCache.HashKey
    /// Further hashes, which lead to the same issue.
    let aliasKeys: [ReferenceCache.HashKey]
    let environmentKey: ReferenceCache.NameKey
    let releaseKey: ReferenceCache.NameKey?
    /// The tags as a single string, separated by U+001F.
    let tags: String

    /// Compresses the payload.
    package init(_ event: ProcessedEvent, _ codec: PayloadCodec) {
        let (number, payload) = codec.compress(event.payload)
        self.init(event, codec: number, payload: payload)
    }

    /// Uses a payload that is already compressed.
    package init(_ event: ProcessedEvent, codec: Int16, payload: [UInt8]) {
        // Drops the uncompressed payload: as a slice, it would keep the whole request body in memory.
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

    /// The event without its payload, for a fingerprint over its payload limit: the event is counted and its row stays
    /// small.
    var withoutPayload: PreparedEvent { PreparedEvent(withoutPayloadOf: self) }
}
