import NIOCore

/// Bytes of a head or of a body's framing that never end, or are far more than the body.
struct EndlessFraming: Error {
    /// Whether nothing but line ends came, where a request should begin.
    let isBlank: Bool
}

/// Bounds the bytes of a request that are no body: the decoder keeps a line until its end, however long, and throws chunk
/// extensions and trailers away, however many.
///
/// It stands in front of the decoder. ``ConnectionGuard`` tells it of each part that was decoded. A body in chunks is
/// given to the decoder in small pieces, so that what the decoder throws away is counted to within a piece; and so is a head, since such a body may follow.
final class FramingGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// A part of a request, as far as its framing is concerned.
    enum Part {
        case head(isChunked: Bool)
        case body(Int)
        case end
    }

    /// What of a head, or of a body in chunks, the decoder gets at once.
    private static let piece = 1 << 10
    /// A chunk-size line, or the trailers; with a piece that was not counted, 4 KiB.
    private static let maxBytes = 3 << 10
    /// Heads of SDKs have less than 4 KiB; cookies of browsers may add as much again.
    private static let maxHeadBytes = 16 << 10
    /// Framing beside the body: real chunks are larger than the lines around them.
    private static let maxOverhead = 4 << 10

    /// Bytes since the last part.
    private var undecoded = 0
    /// Bytes of a body in chunks, as they came and as they were decoded.
    private var received = 0
    private var decoded = 0
    private var isReadingBody = false
    private var isChunked = false
    private var isOver = false
    private var isBlank = true

    /// A part was decoded; what came before it belongs to it.
    func decoded(_ part: Part) {
        undecoded = 0
        isBlank = true
        switch part {
        case .head(let isChunked):
            isReadingBody = true
            self.isChunked = isChunked
            received = 0
            decoded = 0
        case .body(let bytes): decoded += bytes
        case .end:
            isReadingBody = false
            isChunked = false
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        // The decoder would keep what still comes of a head that was refused.
        while !isOver, isChunked || !isReadingBody, bytes.readableBytes > Self.piece,
            let piece = bytes.readSlice(length: Self.piece)
        {
            pass(piece, context)
        }
        if !isOver { pass(bytes, context) }
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        undecoded += bytes.readableBytes
        if isChunked { received += bytes.readableBytes }
        if isBlank { isBlank = bytes.readableBytesView.allSatisfy { $0 == 0x0D || $0 == 0x0A } }
        context.fireChannelRead(wrapInboundOut(bytes))
        let isTooLong = undecoded > (isReadingBody ? Self.maxBytes : Self.maxHeadBytes)
        let isTooMuch = isChunked && received - undecoded - decoded > decoded + Self.maxOverhead
        guard isTooLong || isTooMuch else { return }
        isOver = true
        context.fireErrorCaught(EndlessFraming(isBlank: isBlank))
    }
}
