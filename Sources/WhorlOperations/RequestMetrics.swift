import HTTPTypes
import Hummingbird
import Logging
import WhorlTelemetry

/// Counts and logs every request: rate, errors, duration and how many are in progress, by route template.
///
/// The path itself is never a label and never in the log, since a sender chooses it and it may hold secrets. The clock is
/// monotonic. A request whose handler throws is counted under the status that the error becomes; one that is cancelled,
/// as when the client is gone, under 499.
package struct RequestMetrics<Context: RequestContext>: RouterMiddleware {
    private let requests: MetricFamily<Counter>
    private let durations: MetricFamily<Histogram>
    private let inProgress: MetricFamily<Gauge>
    private let logger: Logger

    package init(registry: MetricsRegistry, logger: Logger) {
        requests = registry.counters(
            "http_requests",
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
        self.logger = logger
    }

    package func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let method = Self.label(request.method)
        // The router has found the route before it runs its middleware.
        let running = inProgress.child(Self.route(context))
        running.add(1)
        defer { running.add(-1) }
        do {
            let response = try await next(request, context)
            finish(context, method, response.status.code, start)
            return response
        } catch {
            let status =
                error is CancellationError ? 499 : (error as? any HTTPResponseError)?.status.code ?? 500
            finish(context, method, status, start)
            throw error
        }
    }

    private func finish(_ context: Context, _ method: String, _ status: Int, _ start: ContinuousClock.Instant) {
        let route = Self.route(context)
        let duration = start.duration(to: .now)
        requests.child(route, method, String(status)).increment()
        durations.child(route, method).observe(duration)
        // Probes and scrapes come every second and say nothing.
        let isProbe = ["/metrics", "/livez", "/readyz", "/health"].contains(route)
        logger.log(
            level: isProbe ? .debug : .info,
            "request",
            metadata: [
                "http.method": "\(method)", "http.route": "\(route)", "http.status": "\(status)",
                "http.duration_ms": "\((duration.seconds * 1_000_000).rounded() / 1_000)",
            ]
        )
    }

    /// The template of the route; Hummingbird's own word for a path without one is `NotFound`.
    private static func route(_ context: Context) -> String {
        guard let route = context.endpointPath, route != "NotFound" else { return "__unmatched__" }
        return route
    }

    private static func label(_ method: HTTPRequest.Method) -> String {
        switch method {
        case .get, .post, .put, .delete, .patch, .head, .options: method.rawValue
        default: "_OTHER"
        }
    }
}
