import Testing
import WhorlThreads

@Suite("Backoff")
struct BackoffTests {
    private let start = ContinuousClock.now

    @Test("Each failure doubles the wait up to its limit, a success resets it, and concurrent failures count once")
    func table() {
        var backoff = Backoff(first: .seconds(1), longest: .seconds(5))
        #expect(backoff.mayTry(at: start) && backoff.wait == nil)
        var now = start
        for expected in [1, 2, 4, 5, 5] {
            backoff.failed(at: now)
            #expect(backoff.wait == .seconds(expected))
            #expect(!backoff.mayTry(at: now))
            // A concurrent attempt fails shortly afterwards.
            backoff.failed(at: now + .milliseconds(10))
            #expect(backoff.wait == .seconds(expected))
            now += .seconds(expected)
            #expect(backoff.mayTry(at: now))
        }
        backoff.succeeded()
        #expect(backoff.wait == nil && backoff.mayTry(at: now))
        backoff.failed(at: now)
        #expect(backoff.wait == .seconds(1))
    }
}
