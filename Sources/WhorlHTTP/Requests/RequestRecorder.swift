import Logging
import WhorlTelemetry

/// Counts and logs answered requests, both of the router and of ingest.
///
/// The path itself is never a label and never logged, because the sender chooses it and it may contain secrets.
/// Accepted ingest requests are not logged individually: the metrics contain their number, and logging would cost more
/// than the rest of the request. The number of logged requests per second is limited, because anybody may send requests
/// that are refused.
package struct RequestRecorder: Sendable {
    let requests: MetricFamily<Counter>
    let durations: MetricFamily<Histogram>
    private let inProgress: MetricFamily<Gauge>
    private let logger: Logger
    private let suppressed: Counter
    private let allowance = LogRateLimiter()

    package init(registry: MetricsRegistry, logger: Logger) {
        requests = registry.counters(
            "http_requests_total",
            "Requests answered, by route template, method and status.",
            labels: ["route", "method", "code"],
            limit: 2_000
        )
        durations = registry.histograms(
            "http_request_duration_seconds",
            "Time from the request's head to the end of its handler, by route template and method.",
            labels: ["route", "method"],
            limit: 400
        )
        inProgress = registry.gauges(
            "http_requests_in_progress",
            "Requests that are being answered, by route template.",
            labels: ["route"]
        )
        suppressed = registry.counter(
            "whorl_log_requests_suppressed_total",
            "Requests not logged because too many were logged in that second."
        )
        self.logger = logger
    }

    /// Counts a started request; returns the gauge to decrement when the request ends.
    func begin(_ route: String) -> Gauge {
        let running = inProgress.child(route)
        running.add(1)
        return running
    }

    /// Counts an answered request; if `isQuiet`, it is logged only at the debug level.
    package func finished(route: String, method: String, status: Int, duration: Duration, isQuiet: Bool) {
        requests.child(route, method, String(status)).increment()
        durations.child(route, method).observe(duration)
        log(route: route, method: method, status: status, duration: duration, isQuiet: isQuiet)
    }

    /// Logs an answered request, up to a number of lines per second.
    func log(route: String, method: String, status: Int, duration: Duration, isQuiet: Bool) {
        let level: Logger.Level = isQuiet ? .debug : .info
        guard logger.logLevel <= level else { return }
        guard allowance.take(at: .now) else {
            suppressed.increment()
            return
        }
        logger.log(
            level: level,
            "request",
            metadata: [
                "http.method": "\(method)", "http.route": "\(route)", "http.status": "\(status)",
                "http.duration_ms": "\((duration.seconds * 1_000_000).rounded() / 1_000)",
            ]
        )
    }
}
