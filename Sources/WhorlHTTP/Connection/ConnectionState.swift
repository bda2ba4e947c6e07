/// What one connection is doing, and how long it may do so: a pure state machine, so that every order of events is a row of
/// a table.
///
/// In every state exactly one deadline runs, so no connection can stay for ever.
struct ConnectionState: Sendable, Equatable {
    /// A part of an exchange that has its own time.
    enum Deadline: String, Sendable, CaseIterable {
        /// The first head.
        case head
        /// The body of a request, from its head on.
        case body
        /// The server's work on a request.
        case answer
        /// The peer's reading of an answer, from one part to the next.
        case write
        /// The next request.
        case idle
    }

    /// Something that happens on a connection.
    enum Event: Sendable, Equatable, CaseIterable {
        case receivedHead
        case receivedEnd
        case wrotePart
        case wroteEnd
        /// The end of an answer has left for the peer.
        case flushed
        /// The peer sent what is no HTTP.
        case malformed
    }

    /// What has to be done after an event.
    enum Action: Sendable, Equatable {
        case none
        /// This deadline runs from now on, instead of the one before.
        case start(Deadline)
        /// Answers that the request is malformed, and closes.
        case refuse
    }

    /// Requests whose head has come and whose answer has not been written.
    private(set) var inFlight = 0
    private(set) var isReadingBody = false
    private(set) var isWriting = false
    private(set) var isMalformed = false
    private var hasBegun = false

    /// The deadline that runs in this state.
    var deadline: Deadline {
        if isReadingBody { return .body }
        if isWriting { return .write }
        if inFlight > 0 { return .answer }
        return hasBegun ? .idle : .head
    }

    mutating func handle(_ event: Event) -> Action {
        let before = deadline
        switch event {
        case .receivedHead:
            guard !isMalformed else { return .none }
            hasBegun = true
            inFlight += 1
            isReadingBody = true
            return .start(.body)
        case .receivedEnd: isReadingBody = false
        case .wrotePart:
            isWriting = true
            // A peer that reads slowly has its time for each part; one that still sends has the body's time.
            if deadline == .write { return .start(.write) }
        case .wroteEnd:
            inFlight = max(inFlight - 1, 0)
            isWriting = true
            if deadline == .write { return .start(.write) }
        case .flushed:
            isWriting = false
            if isMalformed, inFlight == 0 { return .refuse }
        case .malformed:
            // After the first fault the decoder only repeats that it has given up.
            guard !isMalformed else { return .none }
            isMalformed = true
            hasBegun = true
            // The request that broke gets no other answer; those before it come first.
            if isReadingBody { inFlight = max(inFlight - 1, 0) }
            isReadingBody = false
            if inFlight == 0, !isWriting { return .refuse }
        }
        return deadline == before ? .none : .start(deadline)
    }
}
