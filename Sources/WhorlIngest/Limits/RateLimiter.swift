import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import WhorlPostgres
import WhorlServices
import WhorlStore
import WhorlTelemetry

/// Decides in memory, when a request arrives, whether its items are within the rate limits.
///
/// Each limit is a ``LeasedBudget``; `run()` leases parts of the limits from the database, where all collectors share
/// them.
package final class RateLimiter: Service, Sendable {
    /// One limit and its scope.
    package struct Rule: Sendable {
        /// The scope of a limit, as named in `X-Sentry-Rate-Limits`.
        package enum Scope: String, Sendable {
            case organization
            case project
            case key
        }

        let scope: Scope
        let id: Int
        let limit: CountLimit
        /// The categories that the limit covers; empty for all.
        let categories: [String]

        /// The name of the budget in the database.
        var name: String {
            "\(scope.rawValue):\(id):\(limit.seconds):\(limit.count):\(categories.joined(separator: "+"))"
        }

        func covers(_ category: String) -> Bool { categories.isEmpty || categories.contains(category) }
    }

    /// A refusal: the exceeded rule, and the time after which to retry.
    package struct Denial: Sendable {
        let rule: Rule
        let retryAfterSeconds: Int

        /// The reason that is reported for the refused items; a limit over more than a minute is a quota.
        var reason: Outcome.Reason { rule.limit.seconds > 60 ? .quotaExceeded : .rateLimited }

        /// The limit in the format of `X-Sentry-Rate-Limits`.
        var header: String {
            "\(retryAfterSeconds):\(rule.categories.joined(separator: ";")):\(rule.scope.rawValue):\(reason.rawValue)"
        }
    }

    /// Maximum number of budgets in memory; beyond it, those whose window is over are removed or, if there are none,
    /// all.
    private static let capacity = 100_000
    private static let interval = Duration.milliseconds(100)

    private struct Held {
        var budget = LeasedBudget()
        var limit: CountLimit
    }

    private struct State {
        var budgets: [String: Held] = [:]
        var requests: [String: LeasedBudget.LeaseRequest] = [:]
    }

    private let state = Mutex(State())
    private let pool: PostgresPool
    private let logger: Logger
    private let farFactor: Int
    private let unixTime: @Sendable () -> Int

    package init(
        pool: PostgresPool,
        farFactor: Int,
        logger: Logger,
        unixTime: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) }
    ) {
        self.pool = pool
        self.farFactor = farFactor
        self.logger = logger
        self.unixTime = unixTime
    }

    /// Spends from every rule that covers the category; returns the first refusal.
    ///
    /// If one rule refuses, the quantity is still spent from the other rules, because the item was sent.
    func spend(_ quantity: Int, _ category: String, _ rules: [Rule]) -> Denial? {
        var denial: Denial?
        for rule in rules where rule.covers(category) {
            let now = unixTime()
            let isAllowed = with(rule) { budget, name, requests in
                let (isAllowed, request) = budget.spend(quantity, of: rule.limit, at: now)
                if let request { requests[name] = request }
                return isAllowed
            }
            if !isAllowed, denial == nil { denial = self.denial(rule, now) }
        }
        return denial
    }

    /// Returns a refusal if a sender is so far over a limit that its requests are refused without being read.
    func farOver(_ rules: [Rule]) -> Denial? {
        for rule in rules where rule.categories.isEmpty {
            let now = unixTime()
            let isFar = with(rule) { budget, _, _ in
                let isFar = budget.isFarOver(rule.limit, times: farFactor, at: now)
                if isFar { budget.note(1) }
                return isFar
            }
            if isFar { return denial(rule, now) }
        }
        return nil
    }

    /// The exhausted limits, for the headers of responses to accepted requests.
    func spent(_ rules: [Rule]) -> [Denial] {
        let now = unixTime()
        return rules.compactMap { rule in
            with(rule) { budget, _, _ in budget.isSpent(rule.limit, at: now) } ? denial(rule, now) : nil
        }
    }

    private func denial(_ rule: Rule, _ now: Int) -> Denial {
        let end = LeasedBudget.start(of: rule.limit, now) + rule.limit.seconds
        return Denial(rule: rule, retryAfterSeconds: max(1, min(end - now, 3_600)))
    }

    private func with<Value>(
        _ rule: Rule,
        _ body: (inout LeasedBudget, String, inout [String: LeasedBudget.LeaseRequest]) -> Value
    ) -> Value {
        let name = rule.name
        return state.withLock { state in
            if state.budgets[name] == nil, state.budgets.count >= Self.capacity {
                let now = unixTime()
                state.budgets = state.budgets.filter { !$0.value.budget.isOver($0.value.limit, at: now) }
                if state.budgets.count >= Self.capacity { state.budgets = [:] }
            }
            return body(&state.budgets[name, default: Held(limit: rule.limit)].budget, name, &state.requests)
        }
    }

    // MARK: - Leases

    /// Leases parts of the limits from the database until it is stopped.
    package func run() async throws {
        await PeriodicService(every: Self.interval) { await self.lease() }.run()
    }

    func lease() async {
        let requests = state.withLock { state in
            let requests = state.requests.prefix(500).map { (name: $0.key, request: $0.value) }
            for (name, _) in requests { state.requests[name] = nil }
            return requests
        }
        guard !requests.isEmpty else { return }
        let limits = state.withLock { state in
            requests.map { state.budgets[$0.name]?.limit ?? CountLimit(count: 0, seconds: 1) }
        }
        var lent: [Int?]
        do {
            lent = try await Budgets(pool: pool)
                .lend(
                    zip(requests, limits)
                        .map { entry, limit in
                            .init(
                                scope: entry.name,
                                windowStart: entry.request.windowStart,
                                amount: entry.request.amount,
                                limit: limit.count
                            )
                        }
                )
        } catch {
            // Accepting too much is better than losing an event: this collector uses the whole limit for this window.
            logger.debug("rate limits not leased from the database", metadata: ["db.error": "\(error)"])
            lent = requests.map { _ in nil }
        }
        state.withLock { state in
            for (index, (name, request)) in requests.enumerated() {
                guard let limit = state.budgets[name]?.limit else { continue }
                state.budgets[name]?.budget.receive(lent[index], for: request, limit: limit)
            }
        }
    }
}
