import Testing
import WhorlThreads

@Suite("Backing off")
struct BackoffTests {
    private let start = ContinuousClock.now

    @Test("Each failure doubles the wait up to its bound; a success ends it; failures together count once")
    func table() {
        var backoff = Backoff(first: .seconds(1), longest: .seconds(5))
        #expect(backoff.mayTry(at: start) && backoff.wait == nil)
        var now = start
        for expected in [1, 2, 4, 5, 5] {
            backoff.failed(at: now)
            #expect(backoff.wait == .seconds(expected))
            #expect(!backoff.mayTry(at: now))
            // Another attempt that was under way fails a moment later.
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
