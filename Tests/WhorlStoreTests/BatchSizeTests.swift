import Testing

@testable import WhorlStore

@Suite("The size of a batch")
struct BatchSizeTests {
    @Test("It is halved by each missed deadline, down to one event, and doubled by full batches")
    func adapts() {
        var size = BatchSize(maximum: 200)
        #expect(size.events == 200)
        size.missedDeadline(200)
        #expect(size.events == 100)
        // A batch that was on its way when the size was halved already.
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
