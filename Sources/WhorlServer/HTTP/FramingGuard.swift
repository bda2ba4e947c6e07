import NIOCore

/// Bytes of a head or of a body's framing that never end, or are far more than the body.
struct EndlessFraming: Error {
    /// Whether nothing but line ends came, where a request should begin.
    let isBlank: Bool
}

/// Bounds the bytes of a request that are no body: the decoder keeps a line until its end, however long, and throws chunk
/// extensions and trailers away, however many.
///
/// It stands in front of the decoder and cuts what arrives at the ends of heads and bodies. ``ConnectionGuard`` tells it
/// of each part that was decoded.
final class FramingGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// A part of a request, as far as its framing is concerned.
    enum Part {
        /// A head, and how many bytes its body has; nil for a body in chunks.
        case head(length: Int?)
        case end
    }

    private enum State {
        /// A head arrives; so many bytes of it came, the last of them line ends in this number.
        case head(bytes: Int, lineEnds: Int)
        case body(left: Int)
        case chunks(ChunkScanner)
    }

    /// Heads of SDKs have less than 4 KiB; cookies of browsers may add as much again.
    private static let maxHeadBytes = 16 << 10

    private var state = State.head(bytes: 0, lineEnds: 0)
    private var isOver = false
    private var isBlank = true

    /// A part was decoded of the bytes that were passed on.
    func decoded(_ part: Part) {
        isBlank = true
        switch part {
        case .head(nil): state = .chunks(ChunkScanner())
        case .head(let length?): if length > 0 { state = .body(left: length) }
        case .end: state = .head(bytes: 0, lineEnds: 0)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        // The decoder would keep what still comes of a head that was refused.
        while !isOver, bytes.readableBytes > 0 {
            guard let count = belonging(to: bytes), let piece = bytes.readSlice(length: count) else {
                isOver = true
                context.fireErrorCaught(EndlessFraming(isBlank: isBlank))
                return
            }
            context.fireChannelRead(wrapInboundOut(piece))
        }
    }

    /// How many of the bytes belong to the head or body that arrives; nil when it is over its bound.
    private func belonging(to bytes: ByteBuffer) -> Int? {
        switch state {
        case .head(let before, var lineEnds):
            let view = bytes.readableBytesView
            var count = 0
            for byte in view {
                count += 1
                if byte == UInt8(ascii: "\n") {
                    lineEnds += 1
                } else if byte != UInt8(ascii: "\r") {
                    lineEnds = 0
                    isBlank = false
                }
                // An empty line ends the head. Empty lines before it count as heads of nothing, within the bound.
                if lineEnds == 2 || before + count > Self.maxHeadBytes { break }
            }
            guard before + count <= Self.maxHeadBytes else { return nil }
            state = .head(bytes: before + count, lineEnds: lineEnds % 2)
            return count
        case .body(let left):
            let count = min(left, bytes.readableBytes)
            // The decoder says when the body is over; until then there is none of it left.
            state = left == count ? .head(bytes: 0, lineEnds: 0) : .body(left: left - count)
            return count
        case .chunks(var scanner):
            switch scanner.scan(bytes.readableBytesView) {
            case .more:
                state = .chunks(scanner)
                return bytes.readableBytes
            case .ends(let count):
                state = .head(bytes: 0, lineEnds: 0)
                return count
            case .endless:
                isBlank = false
                return nil
            }
        }
    }
}
