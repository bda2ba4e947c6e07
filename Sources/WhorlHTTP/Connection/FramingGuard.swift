import NIOCore

/// The error for a head or body framing that does not end within its limit.
struct FramingLimitExceeded: Error {
    /// Whether only line ends were received where a request should begin.
    let isBlank: Bool
}

/// Limits the bytes of a request that are not body data.
///
/// The decoder does not limit them: it keeps a line of any length until its end, uses a few hundred bytes for a field
/// of three bytes, and discards any number of chunk extensions and trailers.
///
/// This handler is in front of the decoder and splits the received bytes at the ends of heads and bodies.
/// ``ConnectionGuard`` reports to it each decoded part and each response. If more than a few requests wait for their
/// responses, further requests are not decoded, and nothing more is read meanwhile.
final class FramingGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// A decoded part of a request that affects framing.
    enum Part {
        /// A head with the length of its body; nil for a chunked body.
        case head(length: Int?)
        case end
    }

    private enum State {
        /// A head is being received.
        case head(Head)
        case body(left: Int)
        case chunks(ChunkScanner)
    }

    /// The received part of a head.
    private struct Head {
        var bytes = 0
        var lines = 0
        /// Consecutive line ends at the end of the received bytes.
        var lineEnds = 0
    }

    /// Maximum number of requests of a connection whose response is not completely written.
    private static let maxInFlight = 8
    /// Maximum number of lines of a head, including its first and last one; browsers and SDKs send about thirty fields.
    private static let maxLines = 102
    /// Maximum size of a head; heads of SDKs have less than 4 KiB, and browser cookies may add the same amount.
    private static let maxHeadBytes = 16 << 10

    private var state = State.head(Head())
    private var isOver = false
    private var isBlank = true
    private var inFlight = 0
    /// The received bytes of requests beyond those in flight.
    private var held: ByteBuffer?
    private var isReadHeld = false
    private var isInputClosed = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Records that a part was decoded from the forwarded bytes.
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

    /// Records that the response to a request was written, so that another request may be forwarded.
    func answered() {
        inFlight -= 1
        guard held != nil, let context else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        // Runs after the current write, not inside it.
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
        // Bytes that the peer sent before it closed are processed first.
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
        // After a refusal nothing is forwarded, because the decoder would keep the rest of the head.
        while !isOver, bytes.readableBytes > 0 {
            if case .head = state, inFlight >= Self.maxInFlight {
                held = bytes
                return
            }
            guard let count = belonging(to: bytes), let piece = bytes.readSlice(length: count) else {
                isOver = true
                context.fireErrorCaught(FramingLimitExceeded(isBlank: isBlank))
                return
            }
            context.fireChannelRead(wrapInboundOut(piece))
        }
    }

    /// The number of bytes that belong to the current head or body; nil if its limit is exceeded.
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
                // An empty line ends the head. Empty lines before it count as empty heads, within the limit.
                if head.lineEnds == 2 || head.bytes + count > Self.maxHeadBytes || head.lines > Self.maxLines { break }
            }
            head.bytes += count
            guard head.bytes <= Self.maxHeadBytes, head.lines <= Self.maxLines else { return nil }
            head.lineEnds %= 2
            state = .head(head)
            return count
        case .body(let left):
            let count = min(left, bytes.readableBytes)
            // The next bytes belong to a head, even if the decoder has not reported the end of the body yet.
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
