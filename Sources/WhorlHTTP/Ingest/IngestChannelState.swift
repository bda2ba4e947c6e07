/// What the ingest channel handler does with the requests of one connection: a pure state machine.
///
/// Requests of a connection are answered in order. While one is being answered, the parts of later ones are held.
struct IngestChannelState: Sendable, Equatable {
    /// The state of the current request.
    enum Phase: Sendable, Equatable {
        case idle
        /// The peer's address makes too many requests to the server; this one waits.
        case paused
        /// The body waits for memory.
        case reserving
        /// The body of an ingest request arrives.
        case collecting
        /// The pipeline works on an ingest request.
        case answering
        /// The server has the request. Both ends have to pass before the next request is looked at.
        case passing(requestDone: Bool, responseDone: Bool)
        /// The request was refused before its end. What still arrives is dropped until the connection closes.
        case refused
    }

    /// Something that happens on the connection.
    enum Event: Sendable, Equatable {
        /// The head of an ingest request; `isAcceptable` is false when its method or length is refused.
        case ingestHead(isAcceptable: Bool)
        /// The head of any other request.
        case serverHead(mustWait: Bool)
        case body(BodySize)
        case end
        /// Memory for the body was granted, or not.
        case reserved(isGranted: Bool)
        case pauseEnded
        /// The answer to an ingest request was written.
        case answered(isLast: Bool)
        /// The server wrote the end of a response.
        case responseEnd
        /// The server stops.
        case quiesce
        /// The peer sends no more.
        case inputClosed
        case inactive
    }

    /// Whether a part of a body can be taken.
    enum BodySize: Sendable, Equatable {
        case fits
        case needsMemory
        case tooLarge
    }

    /// What the handler has to do.
    enum Action: Sendable, Equatable {
        case none
        /// Keep the part until the current request is answered.
        case hold
        case drop
        /// Give the part, or the event, to the server.
        case pass
        /// Give the part to the server, then look at what was held.
        case passAndResume
        /// Hold the head until the next second.
        case pause
        case collect
        case append
        /// Look up the key and wait for memory.
        case reserve
        case answer
        case refuse
        /// Look at what was held, and read on.
        case resume
        /// Append the part that waited for memory, then look at what was held.
        case appendAndResume
        case close
        /// Close once the peer had time to read the answer.
        case closeAfterAnswer
        /// Count a body that never arrived completely.
        case abandon
    }

    private(set) var phase = Phase.idle
    /// Whether the connection closes after the current answer, since the server stops or the request was refused.
    private(set) var mustClose = false
    private(set) var isInputClosed = false

    /// Whether parts of later requests have to be held.
    var isBusy: Bool {
        switch phase {
        case .paused, .reserving, .answering, .passing(requestDone: true, responseDone: _): true
        case .idle, .collecting, .passing, .refused: false
        }
    }

    /// Whether the connection has nothing left to do: the peer sends no more, and no request is in progress.
    var isFinished: Bool { isInputClosed && !isBusy }

    /// Whether the answer to the current request is the last one of the connection.
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

    /// Takes a part of a request.
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

    /// Takes the end of a step that the handler waited for.
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

    /// Takes an event after which nothing more may arrive.
    private mutating func endInput(_ event: Event) -> Action {
        if event == .inactive {
            defer { phase = .refused }
            return phase == .collecting ? .abandon : .none
        }
        switch phase {
        // The server knows nothing of requests that ingest works on, and would close the connection at once.
        case .reserving, .collecting, .answering, .paused:
            if event == .inputClosed {
                isInputClosed = true
                return isFinished ? .close : .none
            }
            // Nobody works on a paused request: the client sends it again elsewhere.
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
