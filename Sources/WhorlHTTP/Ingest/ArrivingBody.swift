import NIOCore
import WhorlIngest

/// A body while it arrives, and the memory that is reserved for it.
///
/// Memory is reserved in steps as bytes arrive, because a sender may declare any length and send nothing.
struct ArrivingBody {
    /// Bytes reserved before the key is looked up, while at least half of the memory is free.
    static let firstStep = 64 << 10
    /// Bytes reserved for the start of a body, and before the key is looked up while less memory is free.
    static let smallStep = 4 << 10

    private var bytes: [UInt8] = []
    let memory: MemoryReservation
    /// The length that the head declares; nil for a chunked body.
    let declared: Int?
    /// Whether the key was looked up, so that more than the first step may be reserved.
    var isAuthorized = false

    /// Bytes that have arrived.
    var count: Int { bytes.count }

    init(memory: MemoryReservation, declared: Int?) {
        self.memory = memory
        self.declared = declared
    }

    /// The bytes to reserve for a body of `size` bytes: 4 KiB, 64 KiB, 1 MiB, then the declared length.
    ///
    /// A chunked body reserves twice its size up to 1 MiB, then the maximum size of a body, because a request that
    /// holds a large part and waits for more would block others.
    static func step(for size: Int, declared: Int?, limit: Int) -> Int {
        let most = min(declared ?? limit, limit)
        if size <= smallStep { return min(smallStep, most) }
        if size <= firstStep { return min(firstStep, most) }
        if size <= MemoryShares.smallBytes {
            return min(declared == nil ? size * 2 : MemoryShares.smallBytes, max(most, size))
        }
        return max(min(declared ?? limit, limit), size)
    }

    /// The bytes to reserve so that this body can have `size` bytes.
    func step(for size: Int, limit: Int) -> Int { Self.step(for: size, declared: declared, limit: limit) }

    /// The complete body, with its memory.
    func received() -> ReceivedBody { ReceivedBody(bytes, memory: memory) }

    mutating func append(_ buffer: ByteBuffer) {
        // Allocates the reserved bytes, so that the body grows in place.
        if bytes.count + buffer.readableBytes > bytes.capacity { bytes.reserveCapacity(memory.bytes) }
        bytes.append(contentsOf: buffer.readableBytesView)
    }
}
