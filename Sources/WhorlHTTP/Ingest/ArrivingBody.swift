import NIOCore
import WhorlIngest

/// A body while it arrives, and the memory that is held for it: taken in steps, as bytes arrive, since a sender may declare
/// any length and send nothing.
struct ArrivingBody {
    /// What is held for a sender before its key is looked up, while half of the memory is free.
    static let firstStep = 64 << 10
    /// What is held for the first bytes, and before the key is looked up while less is free.
    static let smallStep = 4 << 10

    private var bytes: [UInt8] = []
    let memory: MemoryReservation
    /// The length that the head declares; nil for a body in chunks.
    let declared: Int?
    /// Whether the key was looked up, so that more than the first step may be held.
    var isAuthorized = false

    /// Bytes that have arrived.
    var count: Int { bytes.count }

    init(memory: MemoryReservation, declared: Int?) {
        self.memory = memory
        self.declared = declared
    }

    /// What has to be held for a body of so many bytes: 4 KiB, 64 KiB, 1 MiB, then all that is declared.
    ///
    /// A body in chunks takes twice what it needs up to 1 MiB, then the most that a body may have: who holds a large part
    /// and waits for more would keep others waiting.
    static func step(for size: Int, declared: Int?, limit: Int) -> Int {
        let most = min(declared ?? limit, limit)
        if size <= smallStep { return min(smallStep, most) }
        if size <= firstStep { return min(firstStep, most) }
        if size <= MemoryShares.smallBytes {
            return min(declared == nil ? size * 2 : MemoryShares.smallBytes, max(most, size))
        }
        return max(min(declared ?? limit, limit), size)
    }

    /// What has to be held for this body to have so many bytes.
    func step(for size: Int, limit: Int) -> Int { Self.step(for: size, declared: declared, limit: limit) }

    /// The complete body, with its memory.
    func received() -> ReceivedBody { ReceivedBody(bytes, memory: memory) }

    mutating func append(_ buffer: ByteBuffer) {
        // Room for what is held: a body then grows in place.
        if bytes.count + buffer.readableBytes > bytes.capacity { bytes.reserveCapacity(memory.bytes) }
        bytes.append(contentsOf: buffer.readableBytesView)
    }
}
