import Foundation
import HTTPTypes
import NIOCore
import NIOHTTPTypes
import WhorlIngest
import WhorlProcessing
import WhorlTelemetry

/// Takes the requests that bring events out of a connection and answers them itself, beside the server's own way, which
/// costs twice as much; every other request passes through untouched.
///
/// It sits between the HTTP codec and the server. While a request of either side is being answered, later ones of the same
/// connection wait, so that answers come in order; reading pauses meanwhile, so that what waits is bounded by one read.
package final class IngestChannelHandler: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPRequestPart
    package typealias InboundOut = HTTPRequestPart
    package typealias OutboundIn = HTTPResponsePart
    package typealias OutboundOut = HTTPResponsePart

    /// Told of every request that the lane answered: route, status, and how long it took.
    package typealias Finished = @Sendable (_ route: String, _ status: Int, _ duration: Duration) -> Void

    private enum State {
        case idle
        /// The address of the peer makes too many requests; this one waits for the next second.
        case paused
        /// There is no memory for more of the body yet; what arrives waits.
        case admitting
        /// The body of an event's request arrives.
        case collecting(IngestRequestHead, ArrivingBody)
        /// The handler works on it.
        case answering
        /// The server has it; both ends have to pass before the next request is looked at.
        case passing(requestDone: Bool, responseDone: Bool)
        /// Refused before its end; what still arrives is thrown away until the connection closes.
        case refused
    }

    private let handler: IngestHandler
    private let proxies: TrustedProxies
    private let pace: AddressPace
    private let finished: Finished
    private var state = State.idle
    private var waiting = CircularBuffer<HTTPRequestPart>()
    private var isReadHeld = false
    private var mustClose = false
    /// Whether the peer has said that it sends no more; what it sent before is still answered.
    private var isInputClosed = false

    package init(
        handler: IngestHandler,
        proxies: TrustedProxies,
        pace: AddressPace,
        finished: @escaping Finished
    ) {
        self.handler = handler
        self.pace = pace
        self.proxies = proxies
        self.finished = finished
    }

    // MARK: - Inbound

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isBusy { waiting.append(part) } else { process(part, context) }
    }

    /// Whether parts of a later request have to wait.
    private var isBusy: Bool {
        switch state {
        case .paused, .admitting, .answering, .passing(requestDone: true, responseDone: _): true
        case .idle, .collecting, .passing, .refused: false
        }
    }

    private func process(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.refused, _): break
        case (.idle, .head(let head)): begin(head, context)
        case (.collecting(let request, var body), .body(let bytes)):
            // Not two owners while the body grows.
            state = .idle
            let size = body.bytes.count + bytes.readableBytes
            guard size <= handler.maxBodyBytes else {
                refuse(request, .tooLarge("the body is too large"), context)
                return
            }
            let step = ArrivingBody.step(for: size, declared: body.declared, limit: handler.maxBodyBytes)
            // While there is room a small body is taken without looking at its key.
            let mayGrow =
                body.isAdmitted || step <= ArrivingBody.smallStep
                || step <= ArrivingBody.firstStep && !handler.bodyMemory.isHalfUsed
            guard size <= body.memory.bytes || mayGrow && body.memory.tryGrow(to: step) else {
                grow(body, with: bytes, to: step, request, context)
                return
            }
            body.append(bytes)
            state = .collecting(request, body)
        case (.collecting(let request, let body), .end): answer(request, body, context)
        case (.passing(_, let responseDone), .end):
            context.fireChannelRead(wrapInboundOut(part))
            passed(requestDone: true, responseDone: responseDone, context)
        default: context.fireChannelRead(wrapInboundOut(part))
        }
    }

    private func begin(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
        guard let request = IngestRequestHead(head) else {
            let network = proxies.network(peer: context.remoteAddress?.ipAddress, head.headerFields)
            if let time = pace.wait(network, now: .now()) {
                pause(before: head, time, context)
                return
            }
            state = .passing(requestDone: false, responseDone: false)
            context.fireChannelRead(wrapInboundOut(.head(head)))
            return
        }
        guard request.method == .post else {
            var refusal = IngestRefusal(status: 405, detail: "method not allowed")
            refusal.allowed = request.route == .store ? "POST, GET, OPTIONS" : "POST, OPTIONS"
            refuse(request, refusal, context)
            return
        }
        // A length that is no number we know is too large for certain.
        if let length = head.headerFields[.contentLength], Int(length) ?? .max > handler.maxBodyBytes {
            refuse(request, .tooLarge("the body is too large"), context)
            return
        }
        let expectsContinue = head.headerFields[.expect]?.lowercased() == "100-continue"
        let declared = head.headerFields[.contentLength].flatMap { Int($0) }
        // Nothing is held for a length that is only declared.
        let network = AddressNetwork.name(clientAddress(request, context) ?? "")
        let body = ArrivingBody(memory: handler.bodyMemory.reservation(for: [.address(network)]), declared: declared)
        collect(request, body, expectsContinue: expectsContinue, context)
    }

    private func pause(before head: HTTPRequest, _ time: TimeAmount, _ context: ChannelHandlerContext) {
        state = .paused
        waiting.prepend(.head(head))
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: time) {
            let (lane, context) = bound.value
            guard case .paused = lane.state, context.channel.isActive else { return }
            lane.state = .idle
            lane.resume(context)
        }
    }

    /// Looks up the key, where that was not done yet, and waits for the memory that more of the body takes.
    private func grow(
        _ body: ArrivingBody,
        with bytes: ByteBuffer,
        to size: Int,
        _ request: IngestRequestHead,
        _ context: ChannelHandlerContext
    ) {
        state = .admitting
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        let head = ingestRequest(request, ReceivedBody(), context)
        Task { [handler] in
            let refusal = await handler.admitBody(of: head, bytes: size, body.memory, isAdmitted: body.isAdmitted)
            loop.execute {
                let (lane, context) = bound.value
                guard case .admitting = lane.state, context.channel.isActive else { return }
                if let refusal {
                    lane.refuse(request, refusal, context)
                    return
                }
                var body = body
                body.isAdmitted = true
                body.append(bytes)
                lane.state = .collecting(request, body)
                lane.resume(context)
            }
        }
    }

    private func collect(
        _ request: IngestRequestHead,
        _ body: ArrivingBody,
        expectsContinue: Bool,
        _ context: ChannelHandlerContext
    ) {
        state = .collecting(request, body)
        if expectsContinue {
            context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if case .collecting(let request, _) = state {
            handler.abandoned(ingestRequest(request, ReceivedBody(), context))
        }
        state = .refused
        waiting.removeAll()
        context.fireChannelInactive()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A stop, or the end of what the peer sends: the server would close at once, since it knows nothing of requests
        // that the lane works on.
        switch state {
        case .paused, .admitting, .collecting, .answering:
            if event is ChannelShouldQuiesceEvent {
                // A request that nobody works on yet is sent again elsewhere.
                if case .paused = state { break }
                mustClose = true
                return
            }
            if (event as? ChannelEvent) == .inputClosed {
                isInputClosed = true
                closeWhenNothingIsLeft(context)
                return
            }
        case .idle, .passing, .refused: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: - Answers

    private func answer(_ request: IngestRequestHead, _ body: ArrivingBody, _ context: ChannelHandlerContext) {
        let ingest = ingestRequest(request, ReceivedBody(body.bytes, memory: body.memory), context)
        respond(request, context) { [handler] in await handler.handle(ingest) }
        state = .answering
    }

    private func refuse(_ request: IngestRequestHead, _ refusal: IngestRefusal, _ context: ChannelHandlerContext) {
        let ingest = ingestRequest(request, ReceivedBody(), context)
        mustClose = true
        respond(request, context) { [handler] in await handler.refuse(ingest, refusal) }
        state = .refused
    }

    /// Writes what the body makes of the request; the task ends with the answer, which the handler bounds in time.
    private func respond(
        _ request: IngestRequestHead,
        _ context: ChannelHandlerContext,
        _ body: @escaping @Sendable () async -> IngestAnswer
    ) {
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        Task {
            let answer = await body()
            loop.execute {
                let (lane, context) = bound.value
                lane.write(answer, to: request, context)
            }
        }
    }

    private func write(_ answer: IngestAnswer, to request: IngestRequestHead, _ context: ChannelHandlerContext) {
        finished(request.route.path, answer.status, request.arrived.duration(to: .now))
        guard context.channel.isActive else { return }
        let isLast = mustClose || request.closes || isInputClosed && waiting.isEmpty
        var isRefused = false
        if case .refused = state { isRefused = true }
        let body = ByteBuffer(bytes: answer.body.encoded())
        var response = HTTPResponse(status: .init(code: answer.status))
        response.headerFields = IngestHeaders.fields(of: answer)
        response.headerFields[.contentLength] = String(body.readableBytes)
        if isLast { response.headerFields[.connection] = "close" }
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if request.method != .head { context.write(wrapOutboundOut(.body(body)), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if isRefused {
            context.closeAfterAnswer()
        } else if isLast {
            state = .refused
            context.close(promise: nil)
        } else {
            state = .idle
            resume(context)
        }
    }

    // MARK: - Requests of the server

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        if case .passing(let requestDone, _) = state, case .end = unwrapOutboundIn(data) {
            passed(requestDone: requestDone, responseDone: true, context)
        }
    }

    private func passed(requestDone: Bool, responseDone: Bool, _ context: ChannelHandlerContext) {
        guard requestDone, responseDone else {
            state = .passing(requestDone: requestDone, responseDone: responseDone)
            return
        }
        state = .idle
        resume(context)
    }

    /// Goes on with what has waited, and reads again.
    private func resume(_ context: ChannelHandlerContext) {
        var hasPassed = false
        while !isBusy, let part = waiting.popFirst() {
            process(part, context)
            hasPassed = true
        }
        // The server takes up what it was passed at the end of a read.
        if hasPassed { context.fireChannelReadComplete() }
        if !isBusy, isReadHeld {
            isReadHeld = false
            context.read()
        }
        closeWhenNothingIsLeft(context)
    }

    /// Closes the connection of a peer that sends no more, when no request of it is worked on.
    private func closeWhenNothingIsLeft(_ context: ChannelHandlerContext) {
        if isInputClosed, !isBusy { context.close(promise: nil) }
    }

    package func read(context: ChannelHandlerContext) {
        if isBusy, !waiting.isEmpty { isReadHeld = true } else { context.read() }
    }

    // MARK: - The request

    private func ingestRequest(
        _ request: IngestRequestHead,
        _ body: ReceivedBody,
        _ context: ChannelHandlerContext
    ) -> IngestRequest {
        request.ingest(body: body, clientAddress: clientAddress(request, context))
    }

    private func clientAddress(_ request: IngestRequestHead, _ context: ChannelHandlerContext) -> String? {
        proxies.client(peer: context.remoteAddress?.ipAddress, forwardedFor: request.headers["x-forwarded-for"])
    }
}
