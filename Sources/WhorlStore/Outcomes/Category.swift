/// The categories in which items are counted, by Sentry's names.
package enum Category {
    /// The category of an item type.
    package static func of(_ type: String) -> String {
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
