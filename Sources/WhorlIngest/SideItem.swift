import WhorlProtocol
import WhorlTelemetry

/// Items that are not events: read, judged and counted, none of them stored.
enum SideItem {
    /// Whether the answer names an event id when only such an item is there.
    static func needsEvent(_ type: String) -> Bool {
        [
            "event", "transaction", "security", "attachment", "form_data", "user_report", "feedback", "replay_event",
            "profile",
        ]
        .contains(type)
    }

    /// What becomes of an item; `discarded` is told what a client report says that the client dropped.
    static func outcome(
        of item: Envelope.Item,
        discarded: (_ category: String, _ reason: String, _ quantity: Int) -> Void
    ) -> (String, Outcome, Outcome.Reason) {
        switch item.type {
        case "client_report":
            guard let report = object(item) else { return (item.type, .invalid, .invalidJSON) }
            count(report, discarded)
            return (item.type, .accepted, .none)
        case "session", "sessions", "user_report", "check_in":
            guard object(item) != nil else { return (item.type, .invalid, .invalidJSON) }
            return (item.type, .filtered, .unsupportedItem)
        default:
            return (item.type, .filtered, .unsupportedItem)
        }
    }

    private static func object(_ item: Envelope.Item) -> JSONNode? {
        guard let node = try? JSONDocument(Array(item.payload)).root, node.isObject else { return nil }
        return node
    }

    /// Adds what a client says it dropped; numbers that are negative or absurd are passed over.
    private static func count(_ report: JSONNode, _ discarded: (String, String, Int) -> Void) {
        for list in ["discarded_events", "rate_limited_events", "filtered_events"] as [StaticString] {
            for entry in (report.member(list) ?? report).elements.prefix(100) {
                guard let quantity = entry.member("quantity")?.int, (1...1_000_000).contains(quantity) else {
                    continue
                }
                discarded(
                    known(entry.member("category")?.string, categories),
                    known(entry.member("reason")?.string, reasons),
                    quantity
                )
            }
        }
    }

    /// The words are labels, and the sender chooses them: what is not on the list counts as `other`.
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
