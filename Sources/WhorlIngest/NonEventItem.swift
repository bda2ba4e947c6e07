import WhorlProtocol

/// The handling of items that are not events: they are read, judged and counted, but not stored.
enum NonEventItem {
    /// Whether the response contains an event id if the request has only an item of this type.
    static func belongsToEvent(_ type: String) -> Bool {
        [
            "event", "transaction", "security", "attachment", "form_data", "user_report", "feedback", "replay_event",
            "profile",
        ]
        .contains(type)
    }

    /// A number of items that a client reports as dropped.
    struct Discard: Sendable {
        let category: String
        let reason: String
        let quantity: Int
    }

    /// Maximum number of values and keys of an item; an item with more is invalid.
    private static let maxEntries = 60_000

    /// The outcome of an item.
    static func outcome(of item: Envelope.Item, _ limits: IngestLimits) -> ItemOutcome {
        guard item.payload.count <= limits.bytes(of: item.type) else { return ItemOutcome(.invalid, .tooLarge) }
        switch item.type {
        case "client_report":
            guard let report = object(item) else { return ItemOutcome(.invalid, .invalidJSON) }
            return ItemOutcome(.accepted, .none, discards: discards(report))
        case "session", "sessions", "user_report", "check_in":
            guard object(item) != nil else { return ItemOutcome(.invalid, .invalidJSON) }
            return ItemOutcome(.filtered, .unsupportedItem)
        default:
            return ItemOutcome(.filtered, .unsupportedItem)
        }
    }

    private static func object(_ item: Envelope.Item) -> JSONNode? {
        guard let node = try? JSONDocument(Array(item.payload), maxEntries: maxEntries).root, node.isObject else {
            return nil
        }
        return node
    }

    /// The dropped items that a client reports; quantities that are not positive or implausibly high are ignored.
    private static func discards(_ report: JSONNode) -> [Discard] {
        var discards: [Discard] = []
        for list in ["discarded_events", "rate_limited_events", "filtered_events"] as [StaticString] {
            for entry in (report.member(list) ?? report).elements.prefix(100) {
                guard let quantity = entry.member("quantity")?.int, (1...1_000_000).contains(quantity) else {
                    continue
                }
                discards.append(
                    Discard(
                        category: known(entry.member("category")?.string, categories),
                        reason: known(entry.member("reason")?.string, reasons),
                        quantity: quantity
                    )
                )
            }
        }
        return discards
    }

    /// Limits label values, which the sender chooses: a word that is not on the list counts as `other`.
    private static func known(_ word: String?, _ list: Set<String>) -> String {
        word.flatMap { list.contains($0) ? $0 : nil } ?? "other"
    }

    private static let categories: Set<String> = [
        "default", "error", "transaction", "security", "attachment", "session", "profile", "profile_chunk", "replay",
        "monitor", "span", "feedback", "metric_bucket", "log_item", "log_byte", "trace_metric", "internal",
    ]

    private static let reasons: Set<String> = [
        "before_send", "event_processor", "sample_rate", "ratelimit_backoff", "network_error", "send_error",
        "queue_overflow", "cache_overflow", "buffer_overflow", "internal_sdk_error", "insufficient_data",
        "backpressure", "ignored", "invalid", "no_parent_span",
    ]
}
