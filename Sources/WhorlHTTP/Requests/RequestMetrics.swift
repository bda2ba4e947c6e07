import HTTPTypes
import Hummingbird
import WhorlTelemetry

/// Counts and logs every request of the router: rate, errors, duration and requests in progress, by route template.
///
/// Durations use a monotonic clock. A request whose handler throws is counted under the status of the resulting error
/// response. A cancelled request, for example of a client that disconnected, is counted under 499.
package struct RequestMetrics<Context: RequestContext>: RouterMiddleware {
    private let recorder: RequestRecorder

    package init(recorder: RequestRecorder) { self.recorder = recorder }

    package func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let method = Self.label(request.method)
        // The router finds the route before it runs its middleware.
        let running = recorder.begin(Self.route(context))
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
        recorder.finished(
            route: route,
            method: method,
            status: status,
            duration: start.duration(to: .now),
            // Probes and scrapes arrive every second and carry no information.
            isQuiet: ["/metrics", "/livez", "/readyz", "/health"].contains(route)
        )
    }

    /// The template of the route; Hummingbird reports `NotFound` for a path without a route.
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
