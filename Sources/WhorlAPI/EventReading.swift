import NIOCore
import WhorlProcessing
import WhorlProtocol
import WhorlStore

extension APIServices {
    /// Parses a stored event on the worker thread, and demangles its names.
    func read(_ stored: StoredEvent) async throws -> Event {
        var event = try await worker.run { try stored.parsed() }
        event.names = await NameDemangler.shared.names(of: event, projectID: stored.projectID)
        return event
    }

    /// Parses a stored event, converts it with `shape`, and encodes the result.
    func encoded(_ stored: StoredEvent, _ shape: @escaping @Sendable (EventShape) -> JSON) async throws -> ByteBuffer {
        let event = try await read(stored)
        return await worker.run { ByteBuffer(bytes: shape(EventShape(stored, event)).encoded()) }
    }
}
