/// The state of one connection, and the deadline that applies to it.
///
/// A pure state machine, so that tests can cover every order of events. In every state exactly one deadline runs, so no
/// connection can stay open forever.
struct ConnectionState: Sendable, Equatable {
    /// A part of an exchange that has its own time limit.
    enum Deadline: String, Sendable, CaseIterable {
        /// Receiving the first head.
        case head
        /// Receiving the body of a request, from the end of its head on.
        case body
        /// Processing a request.
        case answer
        /// Sending a response to the peer, from one part to the next.
        case write
        /// Waiting for the next request.
        case idle
    }

    /// An event on a connection.
    enum Event: Sendable, Equatable, CaseIterable {
        case receivedHead
        case receivedEnd
        case wrotePart
        case wroteEnd
        /// The end of a response is sent to the peer.
        case flushed
        /// The peer sent malformed HTTP.
        case malformed
    }

    /// The action to perform after an event.
    enum Action: Sendable, Equatable {
        case none
        /// Starts this deadline in place of the previous one.
        case start(Deadline)
        /// Responds that the request is malformed, and closes the connection.
        case refuse
    }

    /// Requests whose head is received and whose response is not completely written.
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
            // The write deadline restarts with each part. While the peer is still sending, the body deadline applies.
            if deadline == .write { return .start(.write) }
        case .wroteEnd:
            inFlight = max(inFlight - 1, 0)
            isWriting = true
            if deadline == .write { return .start(.write) }
        case .flushed:
            isWriting = false
            if isMalformed, inFlight == 0 { return .refuse }
        case .malformed:
            // After the first error, the decoder only reports follow-up errors.
            guard !isMalformed else { return .none }
            isMalformed = true
            hasBegun = true
            // The malformed request gets no other response. Earlier requests are answered first.
            if isReadingBody { inFlight = max(inFlight - 1, 0) }
            isReadingBody = false
            if inFlight == 0, !isWriting { return .refuse }
        }
        return deadline == before ? .none : .start(deadline)
    }
}
