import WhorlProtocol
import WhorlStore

/// Decides on the items of a request: rate limits, items that are not events, and which item is the event.
struct ItemJudge: Sendable {
    let limiter: RateLimiter
    let largePayloads: LargePayloadExecutor
    let limits: IngestLimits

    /// The outcome of each item, in order; nil for the event to be processed.
    func verdicts(on envelope: Envelope, _ key: AuthorizedKey) async -> [ItemOutcome?] {
        // Many small items are as much work as a large one.
        await largePayloads.run(bytes: envelope.size) {
            var hasEvent = false
            return envelope.items.map { item in
                let category = Category.of(item.type)
                if category != "internal", let denial = limiter.spend(1, category, key.rules) {
                    return ItemOutcome(.rateLimited, denial.reason, denial: denial)
                }
                guard item.type == "event" else { return NonEventItem.outcome(of: item, limits) }
                guard !hasEvent else { return ItemOutcome(.invalid, .duplicateItem) }
                hasEvent = true
                return nil
            }
        }
    }
}
