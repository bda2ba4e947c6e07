import Testing

@testable import WhorlStore

@Suite("Batch size")
struct BatchSizeTests {
    @Test("Each missed deadline halves it, down to one event, and stored full batches double it")
    func adapts() {
        var size = BatchSize(maximum: 200)
        #expect(size.events == 200)
        size.missedDeadline(200)
        #expect(size.events == 100)
        // A batch that was already in progress when the size was halved.
        size.missedDeadline(200)
        #expect(size.events == 100)
        size.missedDeadline(3)
        #expect(size.events == 1)
        size.missedDeadline(1)
        #expect(size.events == 1)
        for expected in [2, 4, 8, 16, 32, 64, 128, 200, 200] {
            size.stored(size.events)
            #expect(size.events == expected)
        }
        size.missedDeadline(200)
        size.stored(5)
        #expect(size.events == 100)
    }
}
