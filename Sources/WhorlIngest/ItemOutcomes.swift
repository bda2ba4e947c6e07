import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// The outcome of one item and its reason.
struct ItemOutcome: Sendable {
    var outcome: Outcome
    var reason: Outcome.Reason
    /// The items that a client report lists as dropped by the client.
    var discards: [NonEventItem.Discard]
    /// The limit that was exceeded; nil for other outcomes.
    var denial: RateLimiter.Denial?

    init(
        _ outcome: Outcome,
        _ reason: Outcome.Reason,
        discards: [NonEventItem.Discard] = [],
        denial: RateLimiter.Denial? = nil
    ) {
        self.outcome = outcome
        self.reason = reason
        self.discards = discards
        self.denial = denial
    }
}

/// The outcomes of the items of a request: each item has exactly one outcome, even if the request is refused.
///
/// This is a plain value. ``IngestAccounting`` counts it at the end of the request.
struct ItemOutcomes: Sendable {
    /// An item and its outcome.
    struct Entry: Sendable {
        var type: String
        var outcome: ItemOutcome?
        /// The id by which users can look up a dropped event.
        var eventID: EventID?
    }

    /// The key that sent the request; nil while it is unknown, and then outcomes count for no project.
    var key: AuthorizedKey?
    private(set) var entries: [Entry] = []
    private(set) var refusal: IngestRefusal?
    /// The event that was kept, and the result of writing it.
    private(set) var kept: (event: ProcessedEvent, result: WriteResult)?
    /// Items that were judged.
    private(set) var judged = 0
    private var eventID: EventID?
    private var processedID: EventID?

    /// Records the items of the request, in order.
    mutating func receive(_ envelope: Envelope) {
        eventID = envelope.eventID
        entries = envelope.items.map { Entry(type: $0.type) }
    }

    /// Records the outcomes of the next items; the event has none yet.
    mutating func judge(_ verdicts: [ItemOutcome?]) {
        for verdict in verdicts {
            entries[judged].outcome = verdict
            if entries[judged].type == "event", verdict != nil { entries[judged].eventID = eventID }
            judged += 1
        }
    }

    /// The item of the envelope that has no outcome yet, which is the event to be processed.
    func event(in envelope: Envelope) -> Envelope.Item? { eventPlace.map { envelope.items[$0] } }

    /// Records the result of processing the event.
    mutating func judgeEvent(_ result: EventProcessor.Result) {
        guard let place = eventPlace else { return }
        switch result {
        case .prepared(let event): processedID = event.event.eventID
        case .filtered(let reason, let id):
            processedID = id
            entries[place].outcome = ItemOutcome(.filtered, Outcome.Reason(reason))
            entries[place].eventID = id
        case .transaction(let id):
            processedID = id
            entries[place].type = "transaction"
            entries[place].outcome = ItemOutcome(.filtered, .unsupportedItem)
            entries[place].eventID = eventID
        }
    }

    /// Records the result of keeping the event.
    mutating func keep(_ event: PreparedEvent, _ result: WriteResult) {
        kept = (event.event, result)
        guard let place = eventPlace else { return }
        entries[place].outcome =
            result == .duplicate ? ItemOutcome(.invalid, .duplicate) : ItemOutcome(.accepted, .none)
    }

    /// Assigns the reason of the refusal to every item, because nothing of a refused request is kept.
    ///
    /// An item that was filtered or limited keeps its own reason. Client reports of a refused request are not counted,
    /// because the client may send them again.
    mutating func refuse(_ refusal: IngestRefusal) {
        self.refusal = refusal
        guard let reason = refusal.countedReason else { return }
        let outcome: Outcome = reason == .rateLimited || reason == .quotaExceeded ? .rateLimited : .invalid
        if entries.isEmpty { entries = [Entry(type: "event")] }
        for place in entries.indices {
            entries[place].outcome?.discards = []
            if entries[place].outcome == nil || entries[place].outcome?.outcome == .accepted {
                entries[place].outcome = ItemOutcome(outcome, reason)
            }
        }
    }

    /// The event id for the response; nil if no item belongs to an event.
    ///
    /// It is the id of the processed event, else that of the envelope, else a new one.
    var answeredID: EventID? {
        if let processedID { return processedID }
        guard entries.contains(where: { NonEventItem.belongsToEvent($0.type) }) else { return nil }
        return eventID ?? .random()
    }

    /// The refusal of a request whose items all exceed a limit; nil if at least one item does not.
    var refusalOfLimits: IngestRefusal? {
        guard !entries.isEmpty, entries.allSatisfy({ $0.outcome?.outcome == .rateLimited }) else { return nil }
        return .limited(denials)
    }

    /// The limits to report in the response: the exceeded ones or, if there are none, the exhausted ones.
    func limitsToReport(_ limiter: RateLimiter) -> [RateLimiter.Denial] {
        denials.isEmpty ? limiter.spent(key?.rules ?? []) : denials
    }

    private var denials: [RateLimiter.Denial] { entries.compactMap { $0.outcome?.denial } }

    private var eventPlace: Int? { entries[..<judged].firstIndex { $0.type == "event" && $0.outcome == nil } }
}
