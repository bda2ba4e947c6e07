import NIOCore

/// Bytes of a body's framing that never end: a chunk-size line, an extension, or trailers.
struct EndlessFraming: Error {}

/// Counts the bytes of a body that the decoder neither turned into parts nor refused: it keeps a line until its end, however
/// long.
///
/// It stands in front of the decoder. ``ConnectionGuard`` tells it of each part that was decoded.
final class FramingGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Chunk-size lines are a few bytes; trailers hardly occur.
    private static let maxBytes = 4 << 10

    private var undecoded = 0
    private var isReadingBody = false

    /// A part was decoded; what came before it belongs to it.
    func decoded(isReadingBody: Bool) {
        undecoded = 0
        self.isReadingBody = isReadingBody
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        undecoded += unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
        if isReadingBody, undecoded > Self.maxBytes { context.fireErrorCaught(EndlessFraming()) }
    }
}
