import Logging
import WhorlTelemetry

/// Counts and logs answered requests, whichever way they were answered.
///
/// The path itself is never a label and never in the log, since a sender chooses it and it may hold secrets. Requests
/// that were taken are not logged one by one: their number is in the metrics, and the log would cost more than the rest.
/// Of the others so many a second are logged, since anybody may send what is refused.
package struct RequestRecorder: Sendable {
    let requests: MetricFamily<Counter>
    let durations: MetricFamily<Histogram>
    private let inProgress: MetricFamily<Gauge>
    private let logger: Logger
    private let suppressed: Counter
    private let allowance = LineAllowance()

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
            "Requests that were not logged, since too many were in that second."
        )
        self.logger = logger
    }

    /// Counts a request that begins, and returns what counts its end.
    func begin(_ route: String) -> Gauge {
        let running = inProgress.child(route)
        running.add(1)
        return running
    }

    /// Counts an answered request; `isQuiet` ones are not logged unless the log shows everything.
    package func finished(route: String, method: String, status: Int, duration: Duration, isQuiet: Bool) {
        requests.child(route, method, String(status)).increment()
        durations.child(route, method).observe(duration)
        log(route: route, method: method, status: status, duration: duration, isQuiet: isQuiet)
    }

    /// Logs an answered request, within a number of lines per second.
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
