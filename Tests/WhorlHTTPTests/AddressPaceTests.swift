import NIOCore
import Testing
import WhorlTelemetry

@testable import WhorlHTTP

@Suite struct AddressPaceTests {
    @Test("An address makes so many requests in a second; further ones wait for its end, and no other address does")
    func pace() {
        let pace = AddressPace(registry: MetricsRegistry())
        let start = NIODeadline.uptimeNanoseconds(5_000_000_000)
        for _ in 0..<AddressPace.perSecond { #expect(pace.wait("a", now: start) == nil) }
        #expect(pace.wait("a", now: start + .milliseconds(400)) == .milliseconds(600))
        #expect(pace.wait("b", now: start + .milliseconds(400)) == nil)
        #expect(pace.wait("a", now: start + .seconds(1)) == nil)
    }
}
