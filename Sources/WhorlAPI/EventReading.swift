import NIOCore
import WhorlProcessing
import WhorlProtocol
import WhorlStore

extension APIServices {
    /// Reads a stored event, its mangled names included, away from the thread pool.
    func read(_ stored: StoredEvent) async throws -> Event {
        var event = try await worker.run { try stored.parsed() }
        event.names = await NameReader.shared.names(of: event, projectID: stored.projectID)
        return event
    }

    /// Reads and shapes a stored event, and encodes the shape.
    func encoded(_ stored: StoredEvent, _ shape: @escaping @Sendable (EventShape) -> JSON) async throws -> ByteBuffer {
        let event = try await read(stored)
        return await worker.run { ByteBuffer(bytes: shape(EventShape(stored, event)).encoded()) }
    }
}
