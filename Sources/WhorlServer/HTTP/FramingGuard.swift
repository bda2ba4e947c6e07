import NIOCore

/// Bytes of a head or of a body's framing that never end: fields, a chunk-size line, an extension, or trailers.
struct EndlessFraming: Error {
    /// Whether nothing but line ends came, where a request should begin.
    let isBlank: Bool
}

/// Counts the bytes of a head or body that the decoder neither turned into parts nor refused: it keeps a line until its end, however
/// long.
///
/// It stands in front of the decoder. ``ConnectionGuard`` tells it of each part that was decoded.
final class FramingGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Chunk-size lines are a few bytes; trailers hardly occur.
    private static let maxBytes = 4 << 10
    /// Heads of SDKs have less than 4 KiB; cookies of browsers may add as much again.
    private static let maxHeadBytes = 16 << 10

    private var undecoded = 0
    private var isReadingBody = false
    private var isOver = false
    private var isBlank = true

    /// A part was decoded; what came before it belongs to it.
    func decoded(isReadingBody: Bool) {
        undecoded = 0
        isBlank = true
        self.isReadingBody = isReadingBody
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The decoder would keep what still comes of a head that was refused.
        guard !isOver else { return }
        let bytes = unwrapInboundIn(data)
        undecoded += bytes.readableBytes
        if isBlank { isBlank = bytes.readableBytesView.allSatisfy { $0 == 0x0D || $0 == 0x0A } }
        context.fireChannelRead(data)
        guard undecoded > (isReadingBody ? Self.maxBytes : Self.maxHeadBytes) else { return }
        isOver = true
        context.fireErrorCaught(EndlessFraming(isBlank: isBlank))
    }
}
