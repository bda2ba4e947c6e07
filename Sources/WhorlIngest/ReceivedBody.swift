import Synchronization

/// The bytes of a request body, and the memory that is reserved for them.
///
/// The decoder releases the body, so that its memory is free while the request is still processed.
package final class ReceivedBody: Sendable {
    private struct Content {
        var bytes: [UInt8]
        var memory: MemoryReservation?
    }

    private let content: Mutex<Content>

    /// Creates a body; `memory` is nil for a small body that is not counted.
    package init(_ bytes: [UInt8] = [], memory: MemoryReservation? = nil) {
        content = Mutex(Content(bytes: bytes, memory: memory))
    }

    /// The bytes; empty after ``release()``.
    var bytes: [UInt8] { content.withLock(\.bytes) }

    /// Releases the bytes and their memory.
    func release() {
        let memory = content.withLock { content in
            defer { content = Content(bytes: [], memory: nil) }
            return content.memory
        }
        memory?.release()
    }
}
