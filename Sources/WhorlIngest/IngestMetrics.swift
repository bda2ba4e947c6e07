import WhorlStore
import WhorlTelemetry

/// The metrics of ingest.
package struct IngestMetrics: Sendable {
    private let items: MetricFamily<Counter>
    /// The counter of the most common outcome, cached to avoid a lookup.
    private let acceptedEvents: Counter
    private let authFailures: MetricFamily<Counter>
    let clientDiscards: MetricFamily<Counter>
    let endToEnd: Histogram

    /// Item types that have their own label; all others count as `other`.
    private static let knownTypes: Set<String> = [
        "event", "attachment", "user_report", "feedback", "security", "raw_security", "form_data", "nel", "session",
        "sessions", "client_report", "check_in", "transaction", "span", "profile", "profile_chunk", "replay_event",
        "replay_recording", "replay_video", "log", "trace_metric", "statsd", "metric_buckets", "metric_meta",
        "otel_log", "integration", "otel_span", "unreal_report",
    ]

    package init(registry: MetricsRegistry) {
        items = registry.counters(
            "whorl_ingest_items_total",
            "Items received, each counted once, by type, outcome and reason.",
            labels: ["type", "outcome", "reason"],
            limit: 400
        )
        authFailures = registry.counters(
            "whorl_auth_failures_total",
            "Ingest requests without a valid key.",
            labels: ["reason"]
        )
        clientDiscards = registry.counters(
            "whorl_client_discards_total",
            "Items that clients report as dropped, by category and reason.",
            labels: ["category", "reason"],
            limit: 300
        )
        endToEnd = registry.histogram(
            "whorl_ingest_end_to_end_seconds",
            "Time from the arrival of a request to the commit of its event."
        )
        // Created at zero, so that monitoring sees the first one as an increase.
        acceptedEvents = items.child("event", Outcome.accepted.rawValue, Outcome.Reason.none.rawValue)
        for reason in [Outcome.Reason.authMissing, .authMalformed, .authUnknownKey, .authDisabledKey, .projectMismatch]
        {
            _ = authFailures.child(reason.rawValue)
        }
    }

    func count(_ type: String, _ outcome: Outcome, _ reason: Outcome.Reason = .none) {
        if outcome == .accepted, type == "event" {
            acceptedEvents.increment()
            return
        }
        let type = Self.knownTypes.contains(type) ? type : "other"
        items.child(type, outcome.rawValue, reason.rawValue).increment()
    }

    func refusedCredentials(_ reason: Outcome.Reason) {
        authFailures.child(reason.rawValue).increment()
    }
}
