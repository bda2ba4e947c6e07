import Testing

@testable import WhorlHTTP

@Suite("The states of a connection")
struct ConnectionStateTests {
    typealias Event = ConnectionState.Event

    @Test(
        "Each order of events ends in the deadline that fits it",
        arguments: [
            ([], .head),
            ([.receivedHead], .body),
            ([.receivedHead, .receivedEnd], .answer),
            ([.receivedHead, .receivedEnd, .wrotePart], .write),
            ([.receivedHead, .receivedEnd, .wrotePart, .wroteEnd], .write),
            ([.receivedHead, .receivedEnd, .wrotePart, .wroteEnd, .flushed], .idle),
            // An answer before the end of the body: the body's time goes on, and idle follows its end.
            ([.receivedHead, .wrotePart], .body),
            ([.receivedHead, .wrotePart, .wroteEnd, .flushed], .body),
            ([.receivedHead, .wrotePart, .wroteEnd, .flushed, .receivedEnd], .idle),
            ([.receivedHead, .wrotePart, .wroteEnd, .receivedEnd], .write),
            ([.receivedHead, .wrotePart, .wroteEnd, .receivedEnd, .flushed], .idle),
            // Pipelined requests.
            ([.receivedHead, .receivedEnd, .receivedHead], .body),
            ([.receivedHead, .receivedEnd, .receivedHead, .receivedEnd, .wroteEnd, .flushed], .answer),
            (
                [.receivedHead, .receivedEnd, .receivedHead, .receivedEnd, .wroteEnd, .flushed, .wroteEnd, .flushed],
                .idle
            ),
            // Malformed after good requests: they are answered first.
            ([.receivedHead, .receivedEnd, .malformed], .answer),
            ([.receivedHead, .receivedEnd, .malformed, .wrotePart], .write),
            ([.receivedHead, .receivedEnd, .receivedHead, .malformed], .answer),
        ] as [([Event], ConnectionState.Deadline)]
    )
    func deadlines(_ events: [Event], _ expected: ConnectionState.Deadline) {
        var state = ConnectionState()
        for event in events { _ = state.handle(event) }
        #expect(state.deadline == expected)
    }

    @Test("Malformed bytes are answered once, after the answers to the requests before them")
    func malformed() {
        var state = ConnectionState()
        #expect(state.handle(.malformed) == .refuse)
        #expect(state.handle(.malformed) == .none)
        #expect(state.handle(.receivedHead) == .none)

        state = ConnectionState()
        let order: [Event] = [.receivedHead, .receivedEnd, .receivedHead, .malformed, .wrotePart, .wroteEnd]
        for event in order { #expect(state.handle(event) != .refuse) }
        #expect(state.handle(.flushed) == .refuse)

        state = ConnectionState()
        #expect(state.handle(.receivedHead) == .start(.body))
        #expect(state.handle(.malformed) == .refuse, "a broken body has no answer of its own")
    }

    /// Every state that up to seven events lead to.
    private static let states: [ConnectionState] = {
        var seen: [ConnectionState] = [ConnectionState()]
        var last = seen
        for _ in 0..<7 {
            var next: [ConnectionState] = []
            for state in last {
                for event in Event.allCases {
                    var after = state
                    _ = after.handle(event)
                    if after.inFlight <= 2, !seen.contains(after), !next.contains(after) { next.append(after) }
                }
            }
            seen += next
            last = next
        }
        return seen
    }()

    @Test("In every state and after every event a deadline runs, and counts never go below zero")
    func everyState() {
        #expect(Self.states.count > 15)
        for state in Self.states {
            for event in Event.allCases {
                var after = state
                let action = after.handle(event)
                #expect(after.inFlight >= 0)
                // A deadline that is not started anew is the one that ran before.
                switch action {
                case .none: #expect(after.deadline == state.deadline || after.isMalformed, "\(state) \(event)")
                case .start(let deadline): #expect(after.deadline == deadline, "\(state) \(event)")
                case .refuse: #expect(after.isMalformed && after.inFlight == 0)
                }
                // The body's time is that of the whole body: no part of an answer prolongs it.
                if state.isReadingBody, after.isReadingBody, event != .receivedHead { #expect(action == .none) }
            }
        }
    }
}
