import NIOCore
import Testing
import WhorlTelemetry

@testable import WhorlHTTP

@Suite struct AddressRequestLimiterTests {
    @Test("Above the limit per second, requests of one address wait until the second ends; other addresses do not")
    func pace() {
        let pace = AddressRequestLimiter(registry: MetricsRegistry())
        let start = NIODeadline.uptimeNanoseconds(5_000_000_000)
        for _ in 0..<AddressRequestLimiter.perSecond { #expect(pace.wait("a", now: start) == nil) }
        #expect(pace.wait("a", now: start + .milliseconds(400)) == .milliseconds(600))
        #expect(pace.wait("b", now: start + .milliseconds(400)) == nil)
        #expect(pace.wait("a", now: start + .seconds(1)) == nil)
    }
}
