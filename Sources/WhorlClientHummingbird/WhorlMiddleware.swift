import HTTPTypes
import Hummingbird
import WhorlClient

/// Reports thrown errors and 5xx responses with their request, and records metrics of every request through
/// swift-metrics.
///
///     router.add(middleware: WhorlMiddleware())
///
/// Add it before the routes, so that it applies to all of them.
/// An error that defines a response with a status below 500 (such as `HTTPError(.notFound)`) is not a fault of the
/// application and is not reported.
/// Each request has its own scope, so tags and breadcrumbs that a handler sets apply only to its request.
/// The metrics are `http_requests_total{route,method,code}`, `http_request_duration_seconds{route,method}` and
/// `http_requests_in_progress{route}`. Routes are templates, never paths. A cancelled request counts as status 499.
public struct WhorlMiddleware<Context: RequestContext>: RouterMiddleware {
    private let metrics = RequestRecorder()
    private let reportsServerErrors: Bool

    /// Creates a middleware; `reportsServerErrors` sets whether 5xx responses without a thrown error are reported.
    public init(reportsServerErrors: Bool = true) {
        self.reportsServerErrors = reportsServerErrors
    }

    /// Calls the next handler, and records the result.
    public func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        // The router finds the route before it runs its middleware.
        let route = Self.route(context)
        let record = metrics.begin(request.method, route: route)
        return try await Whorl.withScope {
            $0.request = RequestDescription.json(request)
        } operation: {
            do {
                let response = try await next(request, context)
                metrics.end(record, status: response.status.code)
                if response.status.code >= 500, reportsServerErrors {
                    Whorl.configureScope { $0.transaction = route.map { "\(request.method.rawValue) \($0)" } }
                    Whorl.capture(
                        message:
                            "\(request.method.rawValue) \(route ?? "unknown route") returned \(response.status.code)",
                        level: .error
                    )
                }
                return response
            } catch {
                let status = Self.status(of: error)
                metrics.end(record, status: status)
                if status >= 500 {
                    Whorl.configureScope { $0.transaction = route.map { "\(request.method.rawValue) \($0)" } }
                    Whorl.client?
                        .capture(
                            error,
                            mechanism: Mechanism(type: "hummingbird", isHandled: false),
                            fileID: #fileID,
                            line: #line
                        )
                }
                throw error
            }
        }
    }

    /// The template of the route; Hummingbird uses `NotFound` for a path without a route.
    private static func route(_ context: Context) -> String? {
        context.endpointPath == "NotFound" ? nil : context.endpointPath
    }

    /// The response status for an error: the status that it defines, 499 for a cancelled request, else 500.
    private static func status(of error: any Error) -> Int {
        if error is CancellationError { return 499 }
        return (error as? any HTTPResponseError)?.status.code ?? 500
    }
}
