import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import WhorlTelemetry

/// The time limits for the parts of an exchange.
package struct ConnectionTimes: Sendable {
    let head: TimeAmount
    let body: TimeAmount
    let answer: TimeAmount
    let write: TimeAmount
    let idle: TimeAmount

    package init(head: TimeAmount, body: TimeAmount, answer: TimeAmount, write: TimeAmount, idle: TimeAmount) {
        self.head = head
        self.body = body
        self.answer = answer
        self.write = write
        self.idle = idle
    }

    subscript(_ deadline: ConnectionState.Deadline) -> TimeAmount {
        switch deadline {
        case .head: head
        case .body: body
        case .answer: answer
        case .write: write
        case .idle: idle
        }
    }
}

/// An outbound event whose promise succeeds when the peer has received the responses that were written.
///
/// Data that the server reports as written may still be in memory.
struct ResponseDelivered: Sendable {}

/// Limits connections, enforces the deadlines of ``ConnectionState``, and rejects malformed HTTP.
package final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPRequestPart
    package typealias InboundOut = HTTPRequestPart
    package typealias OutboundIn = HTTPResponsePart
    package typealias OutboundOut = HTTPResponsePart

    private static let reads = AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 2 << 10, maximum: 8 << 10)

    private let times: ConnectionTimes
    private let count: ConnectionCount
    private let framing = FramingGuard()
    private var state = ConnectionState()
    private var isCounted = false
    private var address: String?
    private var deadline: Scheduled<Void>?
    /// Whether the peer requests an upgrade to another protocol, which is not supported.
    ///
    /// The decoder reads nothing after such a request, so the connection closes after the response (RFC 9110, 7.8: the
    /// request is answered as if it had not requested the upgrade).
    private var asksForUpgrade = false
    /// Succeeds when the end of the last response is sent to the peer; also completes when the connection closes.
    private var lastAnswer: EventLoopFuture<Void>?
    private var refusal = HTTPResponse.Status.badRequest

    package init(times: ConnectionTimes, count: ConnectionCount) {
        self.times = times
        self.count = count
    }

    // MARK: - Lifecycle

    package func handlerAdded(context: ChannelHandlerContext) {
        // Reads are small, because a connection holds the bytes of one read before any limit applies.
        try? context.channel.syncOptions?.setOption(.recvAllocator, value: Self.reads)
        let pipeline = context.pipeline.syncOperations
        if let codec = try? pipeline.handler(type: HTTP1ToHTTPServerCodec.self) {
            // The framing guard receives raw bytes; the head check receives decoded heads.
            try? pipeline.addHandler(framing, position: .first)
            try? pipeline.addHandler(HeadCheck(), position: .before(codec))
        } else {
            preconditionFailure("the connection has no HTTP codec in front of its guard")
        }
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard !isCounted else { return }
        isCounted = true
        address = context.remoteAddress?.ipAddress
        guard count.opened(address) else {
            context.close(promise: nil)
            return
        }
        start(state.deadline, context)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if isCounted { count.closed(address) }
        isCounted = false
        context.fireChannelInactive()
    }

    // MARK: - Events

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !state.isMalformed else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            perform(state.handle(.receivedHead), context)
            if head.headerFields.contains(.upgrade), Self.hasUpgrade(head.headerFields[.connection] ?? "") {
                asksForUpgrade = true
            }
            let isChunked = head.headerFields.contains(.transferEncoding)
            framing.decoded(.head(length: isChunked ? nil : head.headerFields[.contentLength].flatMap(Int.init) ?? 0))
        case .body: break
        case .end:
            perform(state.handle(.receivedEnd), context)
            framing.decoded(.end)
        }
        context.fireChannelRead(data)
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.kind == .informational: context.write(data, promise: promise)
        case .head(var head) where asksForUpgrade && state.inFlight <= 1:
            perform(state.handle(.wrotePart), context)
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .head, .body:
            perform(state.handle(.wrotePart), context)
            context.write(data, promise: promise)
        case .end:
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            perform(state.handle(.wroteEnd), context)
            framing.answered()
            lastAnswer = written.futureResult
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            written.futureResult.whenSuccess {
                let (handler, context) = bound.value
                guard context.channel.isActive else { return }
                if handler.asksForUpgrade, handler.state.inFlight == 0 { context.closeAfterAnswer() }
                handler.perform(handler.state.handle(.flushed), context)
            }
            context.write(data, promise: written)
        }
    }

    package func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?)
    {
        guard event is ResponseDelivered else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        // If the connection closed before a response was written, there is nothing to wait for.
        guard let promise else { return }
        if let lastAnswer { lastAnswer.cascade(to: promise) } else { promise.succeed() }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // After the first error, the decoder only reports follow-up errors.
        guard !state.isMalformed else { return }
        switch error {
        case let error as HTTPParserError:
            if error == .headerOverflow { refusal = .requestHeaderFieldsTooLarge }
        case is AmbiguousRequest, is HTTP1TypeConversionError: break
        case is UnknownExpectation: refusal = .expectationFailed
        case let error as FramingLimitExceeded: if !error.isBlank { refusal = .requestHeaderFieldsTooLarge }
        default:
            context.fireErrorCaught(error)
            return
        }
        count.malformed.increment()
        perform(state.handle(.malformed), context)
    }

    private static func hasUpgrade(_ connection: String) -> Bool {
        connection.lowercased().split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" }).contains("upgrade")
    }

    // MARK: - Actions

    private func perform(_ action: ConnectionState.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .none: break
        case .start(let part): start(part, context)
        case .refuse: refuse(context)
        }
    }

    private func start(_ part: ConnectionState.Deadline, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: times[part]) { [count] in
            if part != .idle { count.timeouts.child(part.rawValue).increment() }
            channel.close(promise: nil)
        }
    }

    private func refuse(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let body = ByteBuffer(string: #"{"detail":"malformed request"}"#)
        let fields: HTTPFields = [
            .contentType: "application/json", .connection: "close", .contentLength: String(body.readableBytes),
        ]
        context.write(wrapOutboundOut(.head(HTTPResponse(status: refusal, headerFields: fields))), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.closeAfterAnswer()
    }
}
