import Testing
import WhorlTestSupport

@testable import WhorlHTTP

@Suite("Connection state")
struct ConnectionStateTests {
    typealias Event = ConnectionState.Event

    @Test(
        "Every sequence of events leads to the expected deadline",
        arguments: [
            ([], .head),
            ([.receivedHead], .body),
            ([.receivedHead, .receivedEnd], .answer),
            ([.receivedHead, .receivedEnd, .wrotePart], .write),
            ([.receivedHead, .receivedEnd, .wrotePart, .wroteEnd], .write),
            ([.receivedHead, .receivedEnd, .wrotePart, .wroteEnd, .flushed], .idle),
            // A response before the end of the body: the body deadline continues, and idle follows the end of the body.
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
            // Malformed bytes after valid requests: those requests are answered first.
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

    @Test("Malformed bytes are answered once, after the responses to the requests before them")
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
        #expect(state.handle(.malformed) == .refuse, "a malformed body gets no second response")
    }

    /// Every state that is reachable with at most seven events.
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

    @Test("In every state and after every event a deadline is active, and counts are never negative")
    func everyState() {
        #expect(Self.states.count > 15)
        for state in Self.states {
            for event in Event.allCases {
                var after = state
                let action = after.handle(event)
                #expect(after.inFlight >= 0)
                // Without a start action the previous deadline stays active.
                switch action {
                case .none: #expect(after.deadline == state.deadline || after.isMalformed, "\(state) \(event)")
                case .start(let deadline): #expect(after.deadline == deadline, "\(state) \(event)")
                case .refuse: #expect(after.isMalformed && after.inFlight == 0)
                }
                // The body deadline covers the whole body, and no part of a response extends it.
                if state.isReadingBody, after.isReadingBody, event != .receivedHead { #expect(action == .none) }
            }
        }
    }

    /// For each state with at most one request in progress and each event: the action, and the deadline afterwards.
    private static let table = """
        state                               | receivedHead      | receivedEnd           | wrotePart               | wroteEnd                | flushed                  | malformed
        answer, 1 in flight                 | start body > body | none > answer         | start write > write     | start write > write     | none > answer            | none > malformed
        body, 0 in flight, reading          | start body > body | start idle > idle     | none > body             | none > body             | none > body              | refuse > malformed
        body, 0 in flight, reading, writing | start body > body | start write > write   | none > body             | none > body             | none > body              | start write > malformed
        body, 1 in flight, reading          | start body > body | start answer > answer | none > body             | none > body             | none > body              | refuse > malformed
        body, 1 in flight, reading, writing | start body > body | start write > write   | none > body             | none > body             | none > body              | start write > malformed
        head, 0 in flight                   | start body > body | none > head           | start write > write     | start write > write     | none > head              | refuse > malformed
        idle, 0 in flight                   | start body > body | none > idle           | start write > write     | start write > write     | none > idle              | refuse > malformed
        malformed, 0 in flight              | none > malformed  | none > malformed      | start write > malformed | start write > malformed | refuse > malformed       | none > malformed
        malformed, 0 in flight, writing     | none > malformed  | none > malformed      | start write > malformed | start write > malformed | refuse > malformed       | none > malformed
        malformed, 1 in flight              | none > malformed  | none > malformed      | start write > malformed | start write > malformed | none > malformed         | none > malformed
        malformed, 1 in flight, writing     | none > malformed  | none > malformed      | start write > malformed | start write > malformed | start answer > malformed | none > malformed
        write, 0 in flight, writing         | start body > body | none > write          | start write > write     | start write > write     | start head > head        | none > malformed
        write, 0 in flight, writing         | start body > body | none > write          | start write > write     | start write > write     | start idle > idle        | none > malformed
        write, 1 in flight, writing         | start body > body | none > write          | start write > write     | start write > write     | start answer > answer    | none > malformed
        """

    private static func text(_ action: ConnectionState.Action) -> String {
        if case .start(let deadline) = action { "start \(deadline)" } else { "\(action)" }
    }

    private static func name(_ state: ConnectionState) -> String {
        var words = [state.isMalformed ? "malformed" : "\(state.deadline)", "\(state.inFlight) in flight"]
        if state.isReadingBody { words.append("reading") }
        if state.isWriting { words.append("writing") }
        return words.joined(separator: ", ")
    }

    @Test("Every event in every state has the action and the deadline of the table")
    func table() {
        var rows: [String] = []
        for state in Self.states where state.inFlight <= 1 {
            let cells = Event.allCases.map { event in
                var after = state
                let action = after.handle(event)
                return Self.text(action) + " > " + (after.isMalformed ? "malformed" : "\(after.deadline)")
            }
            let row = TextTable.row([Self.name(state)] + cells)
            if !rows.contains(row) { rows.append(row) }
        }
        let head = TextTable.row(["state"] + Event.allCases.map { "\($0)" })
        let text = ([head] + rows.sorted()).joined(separator: "\n")
        #expect(text == TextTable.aligned(Self.table))
    }
}
