import WhorlProtocol
import WhorlStore

/// What became of each item of a request: every one ends in exactly one outcome, also when the request is refused half-way.
///
/// Items are entered when the request is framed, and judged one by one. What a refusal finds without a verdict shares its
/// reason. Nothing is counted before ``write(_:_:)``, which is called once.
struct ItemOutcomes: Sendable {
    private struct Entry: Sendable {
        var type: String
        var verdict: (outcome: Outcome, reason: Outcome.Reason)?
        var eventID: EventID?
        /// Whether the statement that stores the item counts it in the database.
        var isStored = false
        var discards: [NonEventItem.Discard] = []
    }

    private let request: IngestRequest
    /// Nil while the sender is not known; then outcomes are counted without a project.
    var sender: Sender?
    private var eventID: EventID?
    private var entries: [Entry] = []

    init(request: IngestRequest) { self.request = request }

    /// Enters the items of the request, in their order.
    mutating func receive(_ types: [String], _ eventID: EventID?) {
        self.eventID = eventID
        entries = types.map { Entry(type: $0) }
    }

    /// Whether nothing was taken, since everything is over a limit.
    var isAllLimited: Bool { !entries.isEmpty && entries.allSatisfy { $0.verdict?.outcome == .rateLimited } }

    /// Says what became of an item.
    mutating func judge(
        _ place: Int,
        _ outcome: Outcome,
        _ reason: Outcome.Reason,
        eventID: EventID? = nil,
        as type: String? = nil,
        discards: [NonEventItem.Discard] = []
    ) {
        entries[place].verdict = (outcome, reason)
        entries[place].eventID = eventID ?? (entries[place].type == "event" ? self.eventID : nil)
        entries[place].discards = discards
        if let type { entries[place].type = type }
    }

    /// Says what became of the event, the one item without a verdict.
    mutating func judgeEvent(_ outcome: Outcome, _ reason: Outcome.Reason) {
        guard let place = entries.firstIndex(where: { $0.verdict == nil }) else { return }
        entries[place].verdict = (outcome, reason)
    }

    mutating func judgeEventStored() {
        guard let place = entries.firstIndex(where: { $0.verdict == nil }) else { return }
        entries[place].verdict = (.accepted, .none)
        entries[place].isStored = true
    }

    /// Gives a reason to every item: the sender keeps none of them after a refusal.
    ///
    /// What clients say in a refused request is not counted, since it may come again.
    mutating func refuse(_ outcome: Outcome, _ reason: Outcome.Reason) {
        if entries.isEmpty { entries = [Entry(type: "event")] }
        for place in entries.indices {
            entries[place].discards = []
            // A verdict of its own stays: a filtered or limited item is no fault of the request.
            if entries[place].verdict == nil || entries[place].verdict?.outcome == .accepted {
                entries[place].verdict = (outcome, reason)
            }
        }
    }

    /// Counts everything.
    func write(_ metrics: IngestMetrics, _ outcomes: OutcomeRecorder) {
        for entry in entries {
            guard let (outcome, reason) = entry.verdict else { continue }
            metrics.count(entry.type, outcome, reason)
            for discard in entry.discards {
                metrics.clientDiscards.child(discard.category, discard.reason).increment(by: discard.quantity)
                record(discard.category, .clientDiscard, discard.reason, discard.quantity, outcomes)
            }
            if entry.isStored { continue }
            record(Category.of(entry.type), outcome, reason.rawValue, 1, outcomes)
            guard let id = entry.eventID, let sender else { continue }
            outcomes.dropped(
                id,
                projectID: sender.key.projectID,
                outcome: outcome.rawValue,
                reason: reason.rawValue,
                at: request.receivedAt
            )
        }
    }

    private func record(
        _ category: String,
        _ outcome: Outcome,
        _ reason: String,
        _ quantity: Int,
        _ outcomes: OutcomeRecorder
    ) {
        guard let sender else { return }
        outcomes.count(
            projectID: sender.key.projectID,
            category: category,
            outcome: outcome.rawValue,
            reason: reason,
            quantity: quantity,
            at: request.receivedAt
        )
    }
}
