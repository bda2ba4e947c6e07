import Synchronization

/// The bytes of a request's body, and the memory that is reserved for them.
///
/// Whoever decodes the body releases it. The memory is then free while the request is still being answered.
package final class ReceivedBody: Sendable {
    private struct Content {
        var bytes: [UInt8]
        var memory: MemoryReservation?
    }

    private let content: Mutex<Content>

    /// A body; `memory` is nil for one that is small and not counted.
    package init(_ bytes: [UInt8] = [], memory: MemoryReservation? = nil) {
        content = Mutex(Content(bytes: bytes, memory: memory))
    }

    /// The bytes; empty after ``release()``.
    var bytes: [UInt8] { content.withLock(\.bytes) }

    /// Gives up the bytes and their memory.
    func release() {
        let memory = content.withLock { content in
            defer { content = Content(bytes: [], memory: nil) }
            return content.memory
        }
        memory?.release()
    }
}
