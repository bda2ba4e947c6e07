import Synchronization

/// The bytes of a request's body with the memory that is held for them.
///
/// Whoever works on the body takes it; then nobody else keeps the bytes alive, and the memory can be given back while the
/// request is still being answered.
package final class ReceivedBody: Sendable {
    private struct Content {
        var bytes: [UInt8]
        var memory: MemoryReservation?
    }

    private let content: Mutex<Content>

    /// A body; nil as memory for one that is small and not counted.
    package init(_ bytes: [UInt8] = [], memory: MemoryReservation? = nil) {
        content = Mutex(Content(bytes: bytes, memory: memory))
    }

    /// Takes the bytes and the memory; a second time there are none.
    package func take() -> (bytes: [UInt8], memory: MemoryReservation?) {
        content.withLock { content in
            defer { content = Content(bytes: [], memory: nil) }
            return (content.bytes, content.memory)
        }
    }
}
