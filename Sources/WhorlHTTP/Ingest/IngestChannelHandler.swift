import HTTPTypes
import NIOCore
import NIOHTTPTypes
import WhorlIngest
import WhorlProcessing

/// Answers ingest requests in the channel pipeline; every other request is forwarded to the server.
///
/// Routing through the server costs twice the CPU. The handler is between the HTTP codec and the server, and performs
/// the actions of ``IngestChannelState``. Reading stops while parts are held, so held parts are bounded by one read.
package final class IngestChannelHandler: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPRequestPart
    package typealias InboundOut = HTTPRequestPart
    package typealias OutboundIn = HTTPResponsePart
    package typealias OutboundOut = HTTPResponsePart

    private let pipeline: IngestPipeline
    private let proxies: TrustedProxies
    private let pace: AddressRequestLimiter
    private let recorder: IngestRecorder
    private var state = IngestChannelState()
    /// The current ingest request, and its body while it arrives.
    private var head: IngestRequestHead?
    private var body: ArrivingBody?
    private var held = CircularBuffer<HTTPRequestPart>()
    private var isReadHeld = false

    package init(
        pipeline: IngestPipeline,
        proxies: TrustedProxies,
        pace: AddressRequestLimiter,
        recorder: IngestRecorder
    ) {
        self.pipeline = pipeline
        self.pace = pace
        self.proxies = proxies
        self.recorder = recorder
    }

    // MARK: - Events

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if state.isBusy { held.append(part) } else { process(part, context) }
    }

    package func read(context: ChannelHandlerContext) {
        if state.isBusy, !held.isEmpty { isReadHeld = true } else { context.read() }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        if case .end = unwrapOutboundIn(data), state.handle(.responseEnd) == .resume { resume(context) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if state.handle(.inactive) == .abandon { pipeline.abandoned() }
        held.removeAll()
        body = nil
        context.fireChannelInactive()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let action: IngestChannelState.Action
        if event is ChannelShouldQuiesceEvent {
            action = state.handle(.quiesce)
        } else if (event as? ChannelEvent) == .inputClosed {
            action = state.handle(.inputClosed)
        } else {
            action = .pass
        }
        switch action {
        case .pass: context.fireUserInboundEventTriggered(event)
        case .close: context.close(promise: nil)
        default: break
        }
    }

    private func process(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head): begin(head, context)
        case .body(let bytes): append(bytes, context)
        case .end:
            switch state.handle(.end) {
            case .answer: answer(context)
            case .pass: context.fireChannelRead(wrapInboundOut(part))
            case .passAndResume:
                context.fireChannelRead(wrapInboundOut(part))
                resume(context)
            default: break
            }
        }
    }

    // MARK: - The head

    private func begin(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
        guard state.phase != .refused else { return }
        let peer = context.remoteAddress?.ipAddress
        // The router answers GET and OPTIONS on the paths of ingest.
        guard head.method != .get, head.method != .options,
            let ingest = IngestRequestHead(head, peer: peer, proxies)
        else {
            let wait = pace.wait(proxies.network(peer: peer, head.headerFields), now: .now())
            if state.handle(.serverHead(mustWait: wait != nil)) == .pause, let wait {
                pause(head, wait, context)
            } else {
                context.fireChannelRead(wrapInboundOut(.head(head)))
            }
            return
        }
        self.head = ingest
        let refusal = refusal(of: ingest)
        if state.handle(.ingestHead(isAcceptable: refusal == nil)) == .collect {
            collect(ingest, context)
        } else if let refusal {
            refuse(refusal, context)
        }
    }

    private func refusal(of head: IngestRequestHead) -> IngestRefusal? {
        if head.method != .post { return .methodNotAllowed(head.route.allowedMethods) }
        return head.declaredLength ?? 0 > pipeline.limits.bodyBytes ? .tooLarge("the body is too large") : nil
    }

    private func collect(_ head: IngestRequestHead, _ context: ChannelHandlerContext) {
        let network = AddressNetwork.name(head.clientAddress ?? "")
        // Nothing is reserved for a length that is only declared.
        let memory = pipeline.receivedMemory.reservation(for: [.address(network)])
        body = ArrivingBody(memory: memory, declared: head.declaredLength)
        if head.expectsContinue {
            context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
        }
    }

    private func pause(_ head: HTTPRequest, _ time: TimeAmount, _ context: ChannelHandlerContext) {
        held.prepend(.head(head))
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: time) {
            let (handler, context) = bound.value
            guard context.channel.isActive, handler.state.handle(.pauseEnded) == .resume else { return }
            handler.resume(context)
        }
    }

    // MARK: - The body

    private func append(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard state.phase == .collecting else {
            if state.handle(.body(.fits)) == .pass { context.fireChannelRead(wrapInboundOut(.body(bytes))) }
            return
        }
        let size = (body?.count ?? 0) + bytes.readableBytes
        switch state.handle(.body(self.size(size))) {
        case .append: body?.append(bytes)
        case .reserve: reserve(size, bytes, context)
        case .refuse: refuse(.tooLarge("the body is too large"), context)
        default: break
        }
    }

    /// Whether a body of `size` bytes can be accepted now.
    private func size(_ size: Int) -> IngestChannelState.BodySize {
        guard let body, size <= pipeline.limits.bodyBytes else { return .tooLarge }
        let step = body.step(for: size, limit: pipeline.limits.bodyBytes)
        // While memory is free, a small body is accepted before its key is looked up.
        let mayGrow =
            body.isAuthorized || step <= ArrivingBody.smallStep
            || step <= ArrivingBody.firstStep && !pipeline.receivedMemory.isHalfUsed
        return size <= body.memory.bytes || mayGrow && body.memory.tryGrow(to: step) ? .fits : .needsMemory
    }

    /// Looks up the key if that is not done yet, and waits for the memory that the growing body needs.
    private func reserve(_ size: Int, _ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let head, let body else { return }
        let step = body.step(for: size, limit: pipeline.limits.bodyBytes)
        let request = head.request()
        let (memory, isFirst) = (body.memory, !body.isAuthorized)
        perform(context) { [pipeline] in
            await pipeline.reserve(step, for: request, in: memory, isFirst: isFirst)
        } then: { handler, refusal, context in
            switch handler.state.handle(.reserved(isGranted: refusal == nil)) {
            case .appendAndResume:
                handler.body?.isAuthorized = true
                handler.body?.append(bytes)
                handler.resume(context)
            case .refuse: if let refusal { handler.refuse(refusal, context) }
            default: break
            }
        }
    }

    // MARK: - The response

    private func answer(_ context: ChannelHandlerContext) {
        guard let head, let body else { return }
        let request = head.request(body: body.received())
        self.body = nil
        perform(context) { [pipeline] in
            await pipeline.answer(request)
        } then: { handler, answer, context in
            handler.write(answer, to: head, context)
        }
    }

    private func refuse(_ refusal: IngestRefusal, _ context: ChannelHandlerContext) {
        guard let head else { return }
        body = nil
        let request = head.request()
        perform(context) { [pipeline] in
            await pipeline.refuse(request, refusal)
        } then: { handler, answer, context in
            handler.write(answer, to: head, context)
        }
    }

    /// Runs `work` outside the event loop, then `then` on the event loop.
    private func perform<Value: Sendable>(
        _ context: ChannelHandlerContext,
        _ work: @escaping @Sendable () async -> Value,
        then: @escaping @Sendable (IngestChannelHandler, Value, ChannelHandlerContext) -> Void
    ) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask(work)
            .whenSuccess { value in
                let (handler, context) = bound.value
                then(handler, value, context)
            }
    }

    private func write(_ answer: IngestResponse, to head: IngestRequestHead, _ context: ChannelHandlerContext) {
        recorder.finished(head.route, answer.status, head.arrived.duration(to: .now))
        guard context.channel.isActive else { return }
        let isLast = state.isLastAnswer(requestCloses: head.closes, hasHeldParts: !held.isEmpty)
        let body = ByteBuffer(bytes: answer.body.encoded())
        var response = HTTPResponse(status: .init(code: answer.status))
        response.headerFields = IngestHeaders.fields(of: answer)
        response.headerFields[.contentLength] = String(body.readableBytes)
        if isLast { response.headerFields[.connection] = "close" }
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .head { context.write(wrapOutboundOut(.body(body)), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        switch state.handle(.answered(isLast: isLast)) {
        case .closeAfterAnswer: context.closeAfterAnswer()
        case .close: context.close(promise: nil)
        case .resume: resume(context)
        default: break
        }
    }

    /// Processes the held parts, and reads again.
    private func resume(_ context: ChannelHandlerContext) {
        var hasProcessed = false
        while !state.isBusy, let part = held.popFirst() {
            process(part, context)
            hasProcessed = true
        }
        // The server processes forwarded parts at the end of a read.
        if hasProcessed { context.fireChannelReadComplete() }
        if !state.isBusy, isReadHeld {
            isReadHeld = false
            context.read()
        }
        if state.isFinished { context.close(promise: nil) }
    }
}
