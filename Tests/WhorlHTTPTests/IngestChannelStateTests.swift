import Testing
import WhorlTestSupport

@testable import WhorlHTTP

@Suite struct IngestChannelStateTests {
    /// The events that lead to each phase.
    private static let phases: [(name: String, events: [IngestChannelState.Event])] = [
        ("idle", []), ("paused", [.serverHead(mustWait: true)]),
        ("collecting", [.ingestHead(isAcceptable: true)]),
        ("reserving", [.ingestHead(isAcceptable: true), .body(.needsMemory)]),
        ("answering", [.ingestHead(isAcceptable: true), .end]), ("passing", [.serverHead(mustWait: false)]),
        ("requestDone", [.serverHead(mustWait: false), .end]),
        ("responseDone", [.serverHead(mustWait: false), .responseEnd]), ("refused", [.ingestHead(isAcceptable: false)]),
    ]

    private static let events: [(name: String, event: IngestChannelState.Event)] = [
        ("ingest head", .ingestHead(isAcceptable: true)), ("bad ingest head", .ingestHead(isAcceptable: false)),
        ("server head", .serverHead(mustWait: false)), ("too many heads", .serverHead(mustWait: true)),
        ("body fits", .body(.fits)), ("body needs memory", .body(.needsMemory)), ("body too large", .body(.tooLarge)),
        ("end", .end), ("memory granted", .reserved(isGranted: true)), ("memory refused", .reserved(isGranted: false)),
        ("pause ended", .pauseEnded), ("answered", .answered(isLast: false)),
        ("last answered", .answered(isLast: true)),
        ("response end", .responseEnd), ("quiesce", .quiesce), ("input closed", .inputClosed), ("inactive", .inactive),
    ]

    /// For each event and phase: the action, and the next phase if it changes.
    private static let table = """
        event             | idle               | paused       | collecting        | reserving                  | answering     | passing           | requestDone  | responseDone       | refused
        ingest head       | collect>collecting | hold         | pass              | hold                       | hold          | pass              | hold         | pass               | drop
        bad ingest head   | refuse>refused     | hold         | pass              | hold                       | hold          | pass              | hold         | pass               | drop
        server head       | pass>passing       | hold         | pass              | hold                       | hold          | pass              | hold         | pass               | drop
        too many heads    | pause>paused       | hold         | pass              | hold                       | hold          | pass              | hold         | pass               | drop
        body fits         | pass               | hold         | append            | hold                       | hold          | pass              | hold         | pass               | drop
        body needs memory | pass               | hold         | reserve>reserving | hold                       | hold          | pass              | hold         | pass               | drop
        body too large    | pass               | hold         | refuse>refused    | hold                       | hold          | pass              | hold         | pass               | drop
        end               | pass               | hold         | answer>answering  | hold                       | hold          | pass>requestDone  | hold         | passAndResume>idle | drop
        memory granted    | none               | none         | none              | appendAndResume>collecting | none          | none              | none         | none               | none
        memory refused    | none               | none         | none              | refuse>refused             | none          | none              | none         | none               | none
        pause ended       | none               | resume>idle  | none              | none                       | none          | none              | none         | none               | none
        answered          | none               | none         | none              | none                       | resume>idle   | none              | none         | none               | closeAfterAnswer
        last answered     | none               | none         | none              | none                       | close>refused | none              | none         | none               | closeAfterAnswer
        response end      | none               | none         | none              | none                       | none          | none>responseDone | resume>idle  | none               | none
        quiesce           | pass               | pass         | none              | none                       | none          | pass              | pass         | pass               | pass
        input closed      | pass               | none         | close             | none                       | none          | pass              | pass         | pass               | pass
        inactive          | none>refused       | none>refused | abandon>refused   | none>refused               | none>refused  | none>refused      | none>refused | none>refused       | none
        """

    private static func name(_ phase: IngestChannelState.Phase) -> String {
        switch phase {
        case .idle: "idle"
        case .paused: "paused"
        case .reserving: "reserving"
        case .collecting: "collecting"
        case .answering: "answering"
        case .passing(requestDone: false, responseDone: false): "passing"
        case .passing(requestDone: true, responseDone: _): "requestDone"
        case .passing(requestDone: false, responseDone: true): "responseDone"
        case .refused: "refused"
        }
    }

    @Test("Every event in every phase has the action and the next phase from the table")
    func table() {
        let columns = Self.events.map { name, event in
            let cells = Self.phases.map { _, path in
                var state = IngestChannelState()
                for step in path { _ = state.handle(step) }
                let before = state.phase
                let action = state.handle(event)
                return "\(action)" + (state.phase == before ? "" : ">" + Self.name(state.phase))
            }
            return TextTable.row([name] + cells)
        }
        let text = ([TextTable.row(["event"] + Self.phases.map(\.name))] + columns).joined(separator: "\n")
        #expect(text == TextTable.aligned(Self.table))
    }

    @Test("The events of each phase in the table lead to that phase")
    func names() {
        for (name, path) in Self.phases {
            var state = IngestChannelState()
            for step in path { _ = state.handle(step) }
            #expect(Self.name(state.phase) == name)
        }
    }

    @Test("The connection closes after the response if the server stops, the client asks for it, or the input ended")
    func lastAnswer() {
        var state = IngestChannelState()
        _ = state.handle(.ingestHead(isAcceptable: true))
        _ = state.handle(.end)
        #expect(!state.isLastAnswer(requestCloses: false, hasHeldParts: false))
        #expect(state.isLastAnswer(requestCloses: true, hasHeldParts: false))
        var stopping = state
        _ = stopping.handle(.quiesce)
        #expect(stopping.isLastAnswer(requestCloses: false, hasHeldParts: true))
        var ended = state
        _ = ended.handle(.inputClosed)
        #expect(ended.isLastAnswer(requestCloses: false, hasHeldParts: false))
        #expect(!ended.isLastAnswer(requestCloses: false, hasHeldParts: true))
        #expect(!ended.isFinished)
        _ = ended.handle(.answered(isLast: false))
        #expect(ended.isFinished)
    }
}
