import Testing

@testable import WhorlReplay

@Suite struct ReplayStateTests {
    private let start = ContinuousClock.now

    @Test(
        "The next replay action depends on the state of the writer and the spool",
        arguments: [
            (.tick, .look), (.looked(isAnswering: true, load: 0, records: 1), .tryWindow),
            (.looked(isAnswering: true, load: 0.25, records: 1), .tryWindow),
            (.looked(isAnswering: true, load: 0.26, records: 1), .pause),
            (.looked(isAnswering: true, load: 0, records: 0), .rest),
            (.looked(isAnswering: false, load: 0, records: 1), .rest), (.spoolChanged, .rest), (.spoolFailed, .rest),
            (.tried([]), .settle(deadLetters: [], stored: [], tooOld: [], goesOn: false)),
            (.tried([.stored(1)]), .settle(deadLetters: [], stored: [1], tooOld: [], goesOn: true)),
            (.tried([.tooOld(1)]), .settle(deadLetters: [], stored: [], tooOld: [1], goesOn: true)),
            (
                .tried([.refused(1, reason: "bad"), .stored(2)]),
                .settle(deadLetters: [.init(id: 1, reason: "bad")], stored: [2], tooOld: [], goesOn: true)
            ),
            (.tried([.failed(1, reason: "odd")]), .settle(deadLetters: [], stored: [], tooOld: [], goesOn: true)),
            (.tried([.stored(1), .outage]), .settle(deadLetters: [], stored: [1], tooOld: [], goesOn: false)),
        ] as [(ReplayState.Event, ReplayState.Action)]
    )
    func table(_ event: ReplayState.Event, _ expected: ReplayState.Action) {
        var state = ReplayState()
        #expect(state.handle(event, at: start) == expected)
        // While the replay waits after a failure, only the tick has another answer.
        var waiting = ReplayState()
        _ = waiting.handle(.spoolFailed, at: start)
        #expect(waiting.handle(event, at: start) == (event == .tick ? .rest : expected))
    }

    @Test("A record that fails five times becomes a dead letter; a success resets the count")
    func tries() {
        var state = ReplayState()
        let failed = ReplayState.Event.tried([.failed(1, reason: "odd")])
        let none = ReplayState.Action.settle(deadLetters: [], stored: [], tooOld: [], goesOn: true)
        for _ in 0..<4 { #expect(state.handle(failed, at: start) == none) }
        _ = state.handle(.tried([.stored(1)]), at: start)
        for _ in 0..<4 { #expect(state.handle(failed, at: start) == none) }
        #expect(
            state.handle(failed, at: start)
                == .settle(
                    deadLetters: [.init(id: 1, reason: "failed 5 times: odd")],
                    stored: [],
                    tooOld: [],
                    goesOn: true
                )
        )
    }

    @Test("After a failed change of the spool the replay waits with increasing delays until a change succeeds")
    func backsOff() {
        var state = ReplayState()
        _ = state.handle(.spoolFailed, at: start)
        #expect(state.handle(.tick, at: start + .milliseconds(999)) == .rest)
        #expect(state.handle(.tick, at: start + .seconds(1)) == .look)
        _ = state.handle(.spoolFailed, at: start + .seconds(1))
        #expect(state.handle(.tick, at: start + .milliseconds(2_999)) == .rest)
        _ = state.handle(.spoolChanged, at: start + .seconds(3))
        #expect(state.handle(.tick, at: start + .seconds(3)) == .look)
    }
}
