import WhorlProtocol
import WhorlStore

/// What became of each item of a request: every one ends in exactly one outcome.
struct ItemLedger {
    private struct Entry {
        let type: String
        let outcome: Outcome
        let reason: Outcome.Reason
        let eventID: EventID?
        /// Whether the statement that stores the item counts it in the database.
        var isStored = false
    }

    private let sender: Sender
    private let request: IngestRequest
    private var entries: [Entry] = []

    init(sender: Sender, request: IngestRequest) {
        self.sender = sender
        self.request = request
    }

    /// Whether nothing was taken, since everything is over a limit.
    var isAllLimited: Bool { !entries.isEmpty && entries.allSatisfy { $0.outcome == .rateLimited } }

    mutating func add(_ type: String, _ outcome: Outcome, _ reason: Outcome.Reason, eventID: EventID? = nil) {
        entries.append(Entry(type: type, outcome: outcome, reason: reason, eventID: eventID))
    }

    mutating func add(_ item: (type: String, outcome: Outcome, reason: Outcome.Reason)) {
        add(item.type, item.outcome, item.reason)
    }

    mutating func addStored() {
        entries.append(Entry(type: "event", outcome: .accepted, reason: .none, eventID: nil, isStored: true))
    }

    func write(_ metrics: IngestMetrics, _ outcomes: OutcomeRecorder) {
        for entry in entries {
            metrics.count(entry.type, entry.outcome, entry.reason)
            if entry.isStored { continue }
            outcomes.count(
                projectID: sender.key.projectID,
                category: Category.of(entry.type),
                outcome: entry.outcome.rawValue,
                reason: entry.reason.rawValue,
                at: request.receivedAt
            )
            guard let id = entry.eventID else { continue }
            outcomes.dropped(
                id,
                projectID: sender.key.projectID,
                outcome: entry.outcome.rawValue,
                reason: entry.reason.rawValue,
                at: request.receivedAt
            )
        }
    }
}
