import Foundation
import Logging
import Synchronization
import Testing
import WhorlStore
import WhorlTelemetry
import WhorlTestSupport

@testable import WhorlIngest

@Suite("Rate limits") struct LimitTests {
    private let limit = CountLimit(count: 100, seconds: 60)

    @Test("A collector spends its leased amount and one part ahead, never more; the next window starts from zero")
    func budget() {
        var budget = LeasedBudget()
        var (isAllowed, request) = budget.spend(1, of: limit, at: 600)
        #expect(isAllowed && request == .init(windowStart: 600, amount: 11))
        // The whole limit can be spent before the first lease arrives.
        let ahead = (0..<9).filter { _ in budget.spend(1, of: limit, at: 601).isAllowed }.count
        #expect(ahead == 9)
        budget.receive(11, for: .init(windowStart: 600, amount: 11), limit: limit)
        let outcome1 = budget.spend(1, of: limit, at: 602).isAllowed
        #expect(outcome1)
        // Another collector has leased the rest.
        budget.receive(0, for: .init(windowStart: 600, amount: 10), limit: limit)
        let outcome2 = budget.spend(1, of: limit, at: 603).isAllowed
        #expect(!outcome2)
        let outcome3 = budget.isSpent(limit, at: 603)
        #expect(outcome3)
        // A late lease belongs to a window that has ended.
        (isAllowed, request) = budget.spend(1, of: limit, at: 660)
        #expect(isAllowed && request == .init(windowStart: 660, amount: 11))
        budget.receive(11, for: .init(windowStart: 600, amount: 11), limit: limit)
        let outcome4 = budget.isSpent(limit, at: 661)
        #expect(!outcome4)
    }

    @Test("After a clock change in either direction the limit applies to the new window")
    func clock() {
        var budget = LeasedBudget()
        for _ in 0..<100 { _ = budget.spend(1, of: limit, at: 10_000) }
        let outcome5 = budget.spend(1, of: limit, at: 10_000).isAllowed
        #expect(!outcome5)
        let outcome6 = budget.spend(1, of: limit, at: 10_000 - 3_600).isAllowed
        #expect(outcome6)
        let outcome7 = budget.spend(1, of: limit, at: -5).isAllowed
        #expect(outcome7)
    }

    @Test("Without the database each collector can spend the whole limit")
    func alone() {
        var budget = LeasedBudget()
        let (_, request) = budget.spend(1, of: limit, at: 0)
        budget.receive(nil, for: request!, limit: limit)
        let allowed = (0..<300).filter { _ in budget.spend(1, of: limit, at: 1).isAllowed }.count
        #expect(allowed >= 99 && allowed <= 110)
    }

    @Test("Two collectors share one limit through the database")
    func shared() async throws {
        try await withPool { pool, _ in
            let rule = RateLimiter.Rule(
                scope: .project,
                id: 7,
                limit: CountLimit(count: 200, seconds: 3_600),
                categories: ["error"]
            )
            let limiters = (0..<2)
                .map { _ in RateLimiter(pool: pool, farFactor: 3, logger: Logger(label: "test"), unixTime: { 7_200 }) }
            var allowed = 0
            var attempts = 0
            for _ in 0..<400 {
                for limiter in limiters {
                    attempts += 1
                    if limiter.spend(1, "error", [rule]) == nil { allowed += 1 }
                    #expect(limiter.spend(1, "session", [rule]) == nil, "the rule does not limit this category")
                    await limiter.lease()
                }
            }
            // Each collector can exceed the limit by at most one part.
            #expect(allowed >= 200 && allowed <= 240, "\(allowed)")
            #expect(limiters.allSatisfy { $0.farOver([rule]) == nil }, "a limit on a category does not limit requests")
            let denial = try #require(limiters[0].spent([rule]).first)
            #expect(denial.header == "3600:error:project:quota_exceeded")
        }
    }

    @Test("A sender that is far over a limit on all categories is refused before its body is read")
    func farOver() async throws {
        try await withPool { pool, _ in
            let rule = RateLimiter.Rule(scope: .key, id: 7, limit: CountLimit(count: 10, seconds: 60), categories: [])
            let limiter = RateLimiter(pool: pool, farFactor: 3, logger: Logger(label: "test"), unixTime: { 60 })
            for _ in 0..<30 { _ = limiter.spend(1, "error", [rule]) }
            #expect(limiter.farOver([rule]) == nil)
            _ = limiter.spend(1, "error", [rule])
            #expect(limiter.farOver([rule])?.retryAfterSeconds == 60)
        }
    }

    @Test("Too many wrong keys block an address, or the network of an IPv6 address, for the rest of the minute")
    func guesses() {
        let guardian = CredentialFailureLimiter(failuresPerMinute: 3)
        let now = Date(timeIntervalSince1970: 6_000_015)
        for _ in 0..<3 { guardian.failed("2001:db8:1:2:3::1", now: now) }
        #expect(guardian.secondsBlocked("2001:db8:1:2:ffff::9", now: now) == 60 - Int(now.timeIntervalSince1970) % 60)
        #expect(guardian.secondsBlocked("2001:db8:1:3::1", now: now) == nil)
        #expect(guardian.secondsBlocked("2001:db8:1:2:3::1", now: now.addingTimeInterval(60)) == nil)
    }
}
