import NIOCore

/// Bytes of a head or of a body's framing that never end, or are far more than the body.
struct EndlessFraming: Error {
    /// Whether nothing but line ends came, where a request should begin.
    let isBlank: Bool
}

/// Bounds the bytes of a request that are no body: the decoder keeps a line until its end, however long, makes a few
/// hundred bytes of a field of three, and throws chunk extensions and trailers away, however many.
///
/// It stands in front of the decoder and cuts what arrives at the ends of heads and bodies. ``ConnectionGuard`` tells it
/// of each part that was decoded, and of each answer. Requests beyond a few that wait for their answers stay bytes, and
/// nothing more is read meanwhile.
final class FramingGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// A part of a request, as far as its framing is concerned.
    enum Part {
        /// A head, and how many bytes its body has; nil for a body in chunks.
        case head(length: Int?)
        case end
    }

    private enum State {
        /// A head arrives.
        case head(Head)
        case body(left: Int)
        case chunks(ChunkScanner)
    }

    /// What came of a head.
    private struct Head {
        var bytes = 0
        var lines = 0
        /// Line ends at the end of what came.
        var lineEnds = 0
    }

    /// Requests of a connection that wait for their answers, or are answered.
    private static let maxInFlight = 8
    /// Fields of a head, its first line and its last: browsers and SDKs send thirty.
    private static let maxLines = 102
    /// Heads of SDKs have less than 4 KiB; cookies of browsers may add as much again.
    private static let maxHeadBytes = 16 << 10

    private var state = State.head(Head())
    private var isOver = false
    private var isBlank = true
    private var inFlight = 0
    /// What came of requests beyond those in flight.
    private var held: ByteBuffer?
    private var isReadHeld = false
    private var isInputClosed = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// A part was decoded of the bytes that were passed on.
    func decoded(_ part: Part) {
        isBlank = true
        switch part {
        case .head(let length):
            inFlight += 1
            if let length {
                if length > 0 { state = .body(left: length) }
            } else {
                state = .chunks(ChunkScanner())
            }
        case .end: state = .head(Head())
        }
    }

    /// The answer to a request was written, so another one may be passed on.
    func answered() {
        inFlight -= 1
        guard held != nil, let context else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        // Not inside of the write.
        context.eventLoop.execute { bound.value.0.resume(bound.value.1) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if held == nil { pass(bytes, context) } else { held?.writeBuffer(&bytes) }
    }

    func read(context: ChannelHandlerContext) {
        if held == nil { context.read() } else { isReadHeld = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // What the peer sent before it closed comes first.
        if held != nil, (event as? ChannelEvent) == .inputClosed {
            isInputClosed = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func resume(_ context: ChannelHandlerContext) {
        guard let bytes = held, inFlight < Self.maxInFlight, context.channel.isActive else { return }
        held = nil
        pass(bytes, context)
        context.fireChannelReadComplete()
        guard held == nil else { return }
        if isInputClosed {
            isInputClosed = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    private func pass(_ all: ByteBuffer, _ context: ChannelHandlerContext) {
        var bytes = all
        // The decoder would keep what still comes of a head that was refused.
        while !isOver, bytes.readableBytes > 0 {
            if case .head = state, inFlight >= Self.maxInFlight {
                held = bytes
                return
            }
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
        case .head(var head):
            var count = 0
            for byte in bytes.readableBytesView {
                count += 1
                if byte == UInt8(ascii: "\n") {
                    head.lineEnds += 1
                    head.lines += 1
                } else if byte != UInt8(ascii: "\r") {
                    head.lineEnds = 0
                    isBlank = false
                }
                // An empty line ends the head. Empty lines before it count as heads of nothing, within the bound.
                if head.lineEnds == 2 || head.bytes + count > Self.maxHeadBytes || head.lines > Self.maxLines { break }
            }
            head.bytes += count
            guard head.bytes <= Self.maxHeadBytes, head.lines <= Self.maxLines else { return nil }
            head.lineEnds %= 2
            state = .head(head)
            return count
        case .body(let left):
            let count = min(left, bytes.readableBytes)
            // The decoder says when the body is over; until then there is none of it left.
            state = left == count ? .head(Head()) : .body(left: left - count)
            return count
        case .chunks(var scanner):
            switch scanner.scan(bytes.readableBytesView) {
            case .more:
                state = .chunks(scanner)
                return bytes.readableBytes
            case .ends(let count):
                state = .head(Head())
                return count
            case .endless:
                isBlank = false
                return nil
            }
        }
    }
}
