/// Decides what the ingest channel handler does with the requests of one connection: a pure state machine.
///
/// Requests of a connection are answered in order. While one is being answered, the parts of later ones are held.
struct IngestChannelState: Sendable, Equatable {
    /// The state of the current request.
    enum Phase: Sendable, Equatable {
        case idle
        /// The peer's address sends too many requests to the server; this request waits for the next second.
        case paused
        /// The body waits for memory.
        case reserving
        /// The body of an ingest request arrives.
        case collecting
        /// The pipeline processes an ingest request.
        case answering
        /// The server processes the request.
        ///
        /// The next request is processed after this request and its response have ended.
        case passing(requestDone: Bool, responseDone: Bool)
        /// The request was refused before its end.
        ///
        /// Data that still arrives is dropped until the connection closes.
        case refused
    }

    /// An event on the connection.
    enum Event: Sendable, Equatable {
        /// The head of an ingest request; `isAcceptable` is false when its method or length is refused.
        case ingestHead(isAcceptable: Bool)
        /// The head of any other request.
        case serverHead(mustWait: Bool)
        case body(BodySize)
        case end
        /// Memory for the body was granted or refused.
        case reserved(isGranted: Bool)
        case pauseEnded
        /// The response to an ingest request was written.
        case answered(isLast: Bool)
        /// The server wrote the end of a response.
        case responseEnd
        /// The server is shutting down.
        case quiesce
        /// The peer sends no more data.
        case inputClosed
        case inactive
    }

    /// Whether a part of a body can be accepted.
    enum BodySize: Sendable, Equatable {
        case fits
        case needsMemory
        case tooLarge
    }

    /// The action that the handler performs.
    enum Action: Sendable, Equatable {
        case none
        /// Keep the part until the current request is answered.
        case hold
        case drop
        /// Forward the part, or the event, to the server.
        case pass
        /// Forward the part to the server, then process the held parts.
        case passAndResume
        /// Hold the head until the next second.
        case pause
        case collect
        case append
        /// Look up the key and wait for memory.
        case reserve
        case answer
        case refuse
        /// Process the held parts, and read again.
        case resume
        /// Append the part that waited for memory, then process the held parts.
        case appendAndResume
        case close
        /// Close after the peer had time to read the response.
        case closeAfterAnswer
        /// Count a body that never arrived completely.
        case abandon
    }

    private(set) var phase = Phase.idle
    /// Whether the connection closes after the current response, because the server shuts down or the request was
    /// refused.
    private(set) var mustClose = false
    private(set) var isInputClosed = false

    /// Whether parts of later requests have to be held.
    var isBusy: Bool {
        switch phase {
        case .paused, .reserving, .answering, .passing(requestDone: true, responseDone: _): true
        case .idle, .collecting, .passing, .refused: false
        }
    }

    /// Whether the connection can close: the peer sends no more data, and no request is in progress.
    var isFinished: Bool { isInputClosed && !isBusy }

    /// Whether the response to the current request is the last one of the connection.
    func isLastAnswer(requestCloses: Bool, hasHeldParts: Bool) -> Bool {
        mustClose || requestCloses || isInputClosed && !hasHeldParts
    }

    mutating func handle(_ event: Event) -> Action {
        switch event {
        case .ingestHead, .serverHead, .body, .end: isBusy ? .hold : take(event)
        case .reserved, .pauseEnded, .answered, .responseEnd: finishStep(event)
        case .quiesce, .inputClosed, .inactive: endInput(event)
        }
    }

    /// Handles a part of a request.
    private mutating func take(_ event: Event) -> Action {
        switch (phase, event) {
        case (.refused, _): return .drop
        case (.idle, .serverHead(mustWait: true)):
            phase = .paused
            return .pause
        case (.idle, .serverHead):
            phase = .passing(requestDone: false, responseDone: false)
            return .pass
        case (.idle, .ingestHead(isAcceptable: true)):
            phase = .collecting
            return .collect
        case (.idle, .ingestHead): return refuse()
        case (.collecting, .body(.fits)): return .append
        case (.collecting, .body(.needsMemory)):
            phase = .reserving
            return .reserve
        case (.collecting, .body(.tooLarge)): return refuse()
        case (.collecting, .end):
            phase = .answering
            return .answer
        case (.passing(_, let responseDone), .end): return pass(requestDone: true, responseDone: responseDone)
        default: return .pass
        }
    }

    /// Handles the end of a step that the handler waited for.
    private mutating func finishStep(_ event: Event) -> Action {
        switch (phase, event) {
        case (.reserving, .reserved(isGranted: true)):
            phase = .collecting
            return .appendAndResume
        case (.reserving, .reserved): return refuse()
        case (.paused, .pauseEnded):
            phase = .idle
            return .resume
        case (.refused, .answered): return .closeAfterAnswer
        case (.answering, .answered(isLast: true)):
            phase = .refused
            return .close
        case (.answering, .answered):
            phase = .idle
            return .resume
        case (.passing(let requestDone, _), .responseEnd):
            return pass(requestDone: requestDone, responseDone: true) == .pass ? .none : .resume
        default: return .none
        }
    }

    /// Handles an event after which nothing more may arrive.
    private mutating func endInput(_ event: Event) -> Action {
        if event == .inactive {
            defer { phase = .refused }
            return phase == .collecting ? .abandon : .none
        }
        switch phase {
        // The server does not know the requests that ingest processes, and would close the connection immediately.
        case .reserving, .collecting, .answering, .paused:
            if event == .inputClosed {
                isInputClosed = true
                return isFinished ? .close : .none
            }
            // A paused request is not processed yet, so the client can send it again elsewhere.
            if phase == .paused { return .pass }
            mustClose = true
            return .none
        case .idle, .passing, .refused: return .pass
        }
    }

    private mutating func refuse() -> Action {
        mustClose = true
        phase = .refused
        return .refuse
    }

    private mutating func pass(requestDone: Bool, responseDone: Bool) -> Action {
        guard requestDone, responseDone else {
            phase = .passing(requestDone: requestDone, responseDone: responseDone)
            return .pass
        }
        phase = .idle
        return .passAndResume
    }
}
