import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Synchronization
import WhorlIngest
import WhorlTelemetry

/// How long each part of a request may take, and how many connections there may be.
struct ConnectionLimits: Sendable {
    let connections: Int
    let head: TimeAmount
    let body: TimeAmount
    let idle: TimeAmount
    /// How long a peer may take to read an answer.
    let write: TimeAmount
}

/// Counts connections over all event loops, and what ended them early.
final class ConnectionCount: Sendable {
    private let open = Atomic<Int>(0)
    private let gauge: Gauge
    let refused: Counter
    let timeouts: MetricFamily<Counter>
    let malformed: Counter

    init(registry: MetricsRegistry) {
        gauge = registry.gauge("whorl_http_connections", "Connections that are open.")
        refused = registry.counter(
            "whorl_http_connections_refused",
            "Connections closed at once, since there were too many."
        )
        timeouts = registry.counters(
            "whorl_http_timeouts",
            "Connections closed since a part of a request, or the reading of an answer, took too long.",
            labels: ["part"]
        )
        malformed = registry.counter("whorl_http_malformed_requests", "Requests that were no HTTP.")
    }

    /// Counts one more, and returns how many there are.
    func opened() -> Int {
        let (_, now) = open.add(1, ordering: .relaxed)
        gauge.set(Double(now))
        return now
    }

    func closed() {
        let (_, now) = open.add(-1, ordering: .relaxed)
        gauge.set(Double(now))
    }
}

/// Stands at the front of each connection: closes it when there are too many or when the peer takes too long, and answers
/// what is no HTTP.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: ConnectionLimits
    private let count: ConnectionCount
    private var isCounted = false
    private var deadline: Scheduled<Void>?
    /// Requests whose head has come and whose answer has not been written.
    private var inFlight = 0
    private var isReadingBody = false
    private var malformed: HTTPResponse.Status?

    init(limits: ConnectionLimits, count: ConnectionCount) {
        self.limits = limits
        self.count = count
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard !isCounted else { return }
        isCounted = true
        if count.opened() > limits.connections {
            count.refused.increment()
            context.close(promise: nil)
            return
        }
        wait(limits.head, for: "head", context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if isCounted { count.closed() }
        isCounted = false
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            inFlight += 1
            isReadingBody = true
            wait(limits.body, for: "body", context)
        case .body: break
        case .end:
            isReadingBody = false
            deadline?.cancel()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else {
            // A peer that does not read holds up the parts of an answer, each of which has its time.
            if !isReadingBody { wait(limits.write, for: "write", context) }
            context.write(data, promise: promise)
            return
        }
        inFlight = max(inFlight - 1, 0)
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        if !isReadingBody || malformed != nil {
            wait(limits.write, for: "write", context)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            written.futureResult.whenComplete { _ in
                let (guardian, context) = bound.value
                guardian.answered(context)
            }
        }
        context.write(data, promise: written)
    }

    /// The answer is on its way: the next request is waited for.
    private func answered(_ context: ChannelHandlerContext) {
        guard inFlight == 0, context.channel.isActive else { return }
        if let malformed {
            refuse(malformed, context)
        } else {
            wait(limits.idle, for: "idle", context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // After the first fault the decoder only repeats that it has given up.
        guard malformed == nil else { return }
        guard let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        count.malformed.increment()
        let status: HTTPResponse.Status = error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest
        malformed = status
        // Answers to the requests before it come first.
        if isReadingBody { inFlight -= 1 }
        if inFlight <= 0 { refuse(status, context) }
    }

    private func refuse(_ status: HTTPResponse.Status, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let body = ByteBuffer(string: #"{"detail":"malformed request"}"#)
        let fields: HTTPFields = [
            .contentType: "application/json", .connection: "close", .contentLength: String(body.readableBytes),
        ]
        context.write(wrapOutboundOut(.head(HTTPResponse(status: status, headerFields: fields))), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.closeAfterAnswer()
    }

    private func wait(_ time: TimeAmount, for part: String, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: time) { [count] in
            if part != "idle" { count.timeouts.child(part).increment() }
            channel.close(promise: nil)
        }
    }
}
