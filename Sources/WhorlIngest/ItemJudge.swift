import WhorlProtocol
import WhorlStore

/// Decides on the items of a request: rate limits, items that are not events, and which item is the event.
struct ItemJudge: Sendable {
    let limiter: RateLimiter
    let largePayloads: LargePayloadExecutor
    let limits: IngestLimits

    /// The outcomes of the items from `start` on, in order, up to the event to be processed, whose outcome is nil.
    ///
    /// `start` is 0, or the place after the event. When the event is refused, the items after it are never judged.
    func verdicts(on envelope: Envelope, from start: Int, _ key: AuthorizedKey) async -> [ItemOutcome?] {
        var verdicts: [ItemOutcome?] = []
        for item in envelope.items[start...] {
            let category = Category.of(item.type)
            if category != "internal", let denial = limiter.spend(1, category, key.rules) {
                verdicts.append(ItemOutcome(.rateLimited, denial.reason, denial: denial))
            } else if item.type != "event" {
                // Many small items are as much work as a large one.
                verdicts.append(
                    await largePayloads.run(bytes: envelope.size) { NonEventItem.outcome(of: item, limits) }
                )
            } else if start > 0 {
                verdicts.append(ItemOutcome(.invalid, .duplicateItem))
            } else {
                return verdicts + [nil]
            }
        }
        return verdicts
    }
}
