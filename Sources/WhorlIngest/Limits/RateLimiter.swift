import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import WhorlPostgres
import WhorlServices
import WhorlStore
import WhorlTelemetry

/// How much may be sent, decided in memory when a request arrives.
///
/// Each limit is a ``LeasedBudget``; `run()` takes parts of the limits from the database, where all collectors share them.
package final class RateLimiter: Service, Sendable {
    /// One limit, and what it is on.
    package struct Rule: Sendable {
        /// Whose limit it is, by the words of `X-Sentry-Rate-Limits`.
        package enum Scope: String, Sendable {
            case organization
            case project
            case key
        }

        let scope: Scope
        let id: Int
        let limit: CountLimit
        /// Categories that count; empty for all.
        let categories: [String]

        /// The name of the budget in the database.
        var name: String {
            "\(scope.rawValue):\(id):\(limit.seconds):\(limit.count):\(categories.joined(separator: "+"))"
        }

        func covers(_ category: String) -> Bool { categories.isEmpty || categories.contains(category) }
    }

    /// A refusal: which rule, and how long it holds.
    package struct Denial: Sendable {
        let rule: Rule
        let retryAfterSeconds: Int

        /// What is said of the refused items: a limit on more than a minute is a quota.
        var reason: Outcome.Reason { rule.limit.seconds > 60 ? .quotaExceeded : .rateLimited }

        /// The limit as `X-Sentry-Rate-Limits` has it.
        var header: String {
            "\(retryAfterSeconds):\(rule.categories.joined(separator: ";")):\(rule.scope.rawValue):\(reason.rawValue)"
        }
    }

    /// Budgets in memory; beyond, those whose window is over are forgotten, and if there are none, all.
    private static let capacity = 100_000
    private static let interval = Duration.milliseconds(100)

    private struct Held {
        var budget = LeasedBudget()
        var limit: CountLimit
    }

    private struct State {
        var budgets: [String: Held] = [:]
        var wishes: [String: LeasedBudget.Wish] = [:]
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

    /// Spends from every rule that covers the category; when one refuses, what the others gave is spent all the same,
    /// since the item was sent.
    func spend(_ quantity: Int, _ category: String, _ rules: [Rule]) -> Denial? {
        var denial: Denial?
        for rule in rules where rule.covers(category) {
            let now = unixTime()
            let isAllowed = with(rule) { budget, name, wishes in
                let (isAllowed, wish) = budget.spend(quantity, of: rule.limit, at: now)
                if let wish { wishes[name] = wish }
                return isAllowed
            }
            if !isAllowed, denial == nil { denial = self.denial(rule, now) }
        }
        return denial
    }

    /// Whether a sender is so far over a limit that its requests are refused unseen.
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

    /// The limits of which nothing is left, for the headers of answers that take something.
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
        _ body: (inout LeasedBudget, String, inout [String: LeasedBudget.Wish]) -> Value
    ) -> Value {
        let name = rule.name
        return state.withLock { state in
            if state.budgets[name] == nil, state.budgets.count >= Self.capacity {
                let now = unixTime()
                state.budgets = state.budgets.filter { !$0.value.budget.isOver($0.value.limit, at: now) }
                if state.budgets.count >= Self.capacity { state.budgets = [:] }
            }
            return body(&state.budgets[name, default: Held(limit: rule.limit)].budget, name, &state.wishes)
        }
    }

    // MARK: - Leases

    /// Takes parts of the limits from the database until it is stopped.
    package func run() async throws {
        await PeriodicService(every: Self.interval) { await self.lease() }.run()
    }

    func lease() async {
        let wishes = state.withLock { state in
            let wishes = state.wishes.prefix(500).map { (name: $0.key, wish: $0.value) }
            for (name, _) in wishes { state.wishes[name] = nil }
            return wishes
        }
        guard !wishes.isEmpty else { return }
        let limits = state.withLock { state in
            wishes.map { state.budgets[$0.name]?.limit ?? CountLimit(count: 0, seconds: 1) }
        }
        var lent: [Int?]
        do {
            lent = try await Budgets(pool: pool)
                .lend(
                    zip(wishes, limits)
                        .map { entry, limit in
                            .init(
                                scope: entry.name,
                                windowStart: entry.wish.windowStart,
                                amount: entry.wish.amount,
                                limit: limit.count
                            )
                        }
                )
        } catch {
            // Rather too much than an event lost: the limit is this collector's alone for this window.
            logger.debug("limits not shared", metadata: ["db.error": "\(error)"])
            lent = wishes.map { _ in nil }
        }
        state.withLock { state in
            for (index, (name, wish)) in wishes.enumerated() {
                guard let limit = state.budgets[name]?.limit else { continue }
                state.budgets[name]?.budget.receive(lent[index], for: wish, limit: limit)
            }
        }
    }
}
