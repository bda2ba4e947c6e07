import WhorlProcessing
import WhorlProtocol
import WhorlTelemetry

/// What became of an item, by Sentry's words; every item received ends in exactly one.
package enum Outcome: String, Sendable {
    case accepted
    case filtered
    case rateLimited = "rate_limited"
    case invalid
    case clientDiscard = "client_discard"

    /// Why, from a closed list, since it is a label.
    package enum Reason: String, Sendable {
        case none
        case duplicate
        case duplicateItem = "duplicate_item"
        case unsupportedItem = "unsupported-item"
        case tooLarge = "too_large"
        case invalidJSON = "invalid_json"
        case invalidEnvelope = "invalid_envelope"
        case invalidCompression = "invalid_compression"
        case authMissing = "auth_missing"
        case authMalformed = "auth_malformed"
        case authUnknownKey = "auth_unknown_key"
        case authDisabledKey = "auth_disabled_key"
        case projectMismatch = "project_id"
        case unavailable
        case rateLimited = "rate_limited"
        case quotaExceeded = "quota_exceeded"
        case origin = "cors"
        case address = "ip-address"
        case timeout
        case tooOld = "too_old"
        case localhost
        case legacyBrowsers = "legacy-browsers"
        case webCrawlers = "web-crawlers"
        case releaseVersion = "release-version"
        case errorMessage = "error-message"
        case errorType = "error-type"
        case other

        init(_ reason: FilterReason) {
            self =
                switch reason {
                case .localhost: .localhost
                case .legacyBrowsers: .legacyBrowsers
                case .webCrawlers: .webCrawlers
                case .release: .releaseVersion
                case .message: .errorMessage
                case .errorType: .errorType
                case .address: .address
                }
        }
    }
}

/// The categories in which Sentry counts items, by its words.
enum Category {
    /// The category of an item by its type.
    static func of(_ type: String) -> String {
        switch type {
        case "event": "error"
        case "transaction": "transaction"
        case "security", "raw_security", "nel": "security"
        case "attachment", "form_data", "unreal_report": "attachment"
        case "session", "sessions": "session"
        case "check_in": "monitor"
        case "profile": "profile"
        case "profile_chunk": "profile_chunk"
        case "replay_event", "replay_recording", "replay_video": "replay"
        case "span", "otel_span": "span"
        case "feedback", "user_report": "feedback"
        case "log", "otel_log": "log_item"
        case "trace_metric": "trace_metric"
        case "statsd", "metric_buckets", "metric_meta": "metric_bucket"
        case "client_report": "internal"
        default: "default"
        }
    }
}

/// What ingest tells the monitoring.
struct IngestMetrics: Sendable {
    private let items: MetricFamily<Counter>
    private let authFailures: MetricFamily<Counter>
    let clientDiscards: MetricFamily<Counter>
    let endToEnd: Histogram

    /// Item types that are labels by their own name; every other one counts as `other`.
    private static let knownTypes: Set<String> = [
        "event", "attachment", "user_report", "feedback", "security", "raw_security", "form_data", "nel", "session",
        "sessions", "client_report", "check_in", "transaction", "span", "profile", "profile_chunk", "replay_event",
        "replay_recording", "replay_video", "log", "trace_metric", "statsd", "metric_buckets", "metric_meta",
        "otel_log", "integration", "otel_span", "unreal_report",
    ]

    init(registry: MetricsRegistry) {
        items = registry.counters(
            "whorl_ingest_items",
            "Items received, each counted once, by type, outcome and reason.",
            labels: ["type", "outcome", "reason"],
            limit: 400
        )
        authFailures = registry.counters(
            "whorl_auth_failures",
            "Requests of the write side without a usable key.",
            labels: ["reason"]
        )
        clientDiscards = registry.counters(
            "whorl_client_discards",
            "Items that clients say they dropped themselves, by category and reason.",
            labels: ["category", "reason"],
            limit: 300
        )
        endToEnd = registry.histogram(
            "whorl_ingest_end_to_end_seconds",
            "Time from the arrival of a request to the commit of its event."
        )
        // Born at zero, so that the first one is an increase.
        _ = items.child("event", "accepted", "none")
        for reason in [Outcome.Reason.authMissing, .authMalformed, .authUnknownKey, .authDisabledKey, .projectMismatch]
        {
            _ = authFailures.child(reason.rawValue)
        }
    }

    func count(_ type: String, _ outcome: Outcome, _ reason: Outcome.Reason = .none) {
        let type = Self.knownTypes.contains(type) ? type : "other"
        items.child(type, outcome.rawValue, reason.rawValue).increment()
    }

    func refusedCredentials(_ reason: Outcome.Reason) {
        authFailures.child(reason.rawValue).increment()
    }
}
