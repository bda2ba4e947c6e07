import Testing

@testable import WhorlClient

@Suite("Limits that the server reports")
struct ActiveLimitsTests {
    private let now = ContinuousClock.now

    @Test(
        "Any Retry-After value blocks sending for at most one day",
        arguments: [
            "nan", "NaN", "inf", "-inf", "infinity", "-1", "1e308", "1e400", "9223372036854775808", "0x1p1000", "", " ",
            "abc", "1e-400", "-0", "60", "3.5", "Wed, 21 Oct 2015 07:28:00 GMT", String(repeating: "9", count: 5_000),
        ]
    )
    func retryAfter(_ text: String) {
        var limits = ActiveLimits()
        limits.note(TransportAnswer(status: 429, headers: ["retry-after": text]), at: now)
        #expect(!limits.forbids("error", at: now + .seconds(86_401)))
        if text == "60" {
            #expect(limits.forbids("error", at: now + .seconds(59)))
            #expect(!limits.forbids("error", at: now + .seconds(61)))
        }
    }

    @Test(
        "Any X-Sentry-Rate-Limits value blocks sending for at most one day",
        arguments: [
            "nan:error:key", "inf::", "-5:error:key", "1e999:error:key", ":::::", ",,,,", "60:error;x:organization",
        ]
    )
    func rateLimits(_ text: String) {
        var limits = ActiveLimits()
        limits.note(TransportAnswer(status: 200, headers: ["x-sentry-rate-limits": text]), at: now)
        #expect(!limits.forbids("error", at: now + .seconds(86_401)))
        #expect(limits.forbids("error", at: now + .seconds(30)) == text.hasPrefix("60"))
    }

    @Test("Many different category names do not grow the memory without bound")
    func bounded() {
        var limits = ActiveLimits()
        for number in 0..<10_000 {
            let header = (0..<32).map { "c\(number)x\($0)" }.joined(separator: ";")
            limits.note(TransportAnswer(status: 200, headers: ["x-sentry-rate-limits": "60:\(header):key"]), at: now)
        }
        #expect(limits.count <= 64)
    }
}
