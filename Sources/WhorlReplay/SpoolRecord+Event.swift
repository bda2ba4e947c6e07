import Foundation
import WhorlProcessing
import WhorlProtocol
import WhorlSpool
import WhorlStore
import WhorlThreads

extension SpoolRecord {
    /// Recreates the event of the record from its payload, as ingestion does.
    ///
    /// Decompresses and groups on the given thread.
    func prepared(
        _ payloads: PayloadCodec,
        _ grouping: GroupingSettings,
        on thread: WorkThread
    ) async throws -> PreparedEvent {
        guard let codec = Int16(exactly: codec), let id = EventID(bytes: eventID) else {
            throw SpoolError.unusable("the record has an invalid event id or codec")
        }
        let payload = self.payload
        let (bytes, event) = try await thread.run {
            let bytes = try payloads.decompress(payload, codec: codec)
            return (bytes, try EventPipeline.parse(bytes[...]))
        }
        let names = await NameDemangler.shared.names(of: event, projectID: projectID)
        let notes = EventNotes.parse(self.notes)
        let context = EventContext(
            projectID: projectID,
            eventID: id,
            receivedAt: Date(microseconds: receivedAt),
            sentAt: sentAt.map { Date(microseconds: $0) },
            clientAddress: clientAddress
        )
        return await thread.run {
            let event = EventPipeline.reprocess(
                event,
                context,
                grouping,
                payload: bytes[...],
                storedNotes: notes,
                names: names
            )
            var prepared = PreparedEvent(event, codec: codec, payload: payload)
            prepared.isReplay = true
            return prepared
        }
    }
}

extension Date {
    fileprivate init(microseconds: Int64) {
        self.init(timeIntervalSince1970: Double(microseconds) / 1_000_000)
    }
}
