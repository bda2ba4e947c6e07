import HTTPTypes
import Hummingbird
import WhorlClient

/// Reports thrown errors and 5xx answers with their request, and counts and times every request through swift-metrics.
///
///     router.add(middleware: WhorlMiddleware())
///
/// Add it first, before the routes, so that it sees all of them. An error that is an answer of its own below 500 (such as
/// `HTTPError(.notFound)`) is no fault of the application and is not reported. Each request has a scope of its own, so
/// tags and breadcrumbs set while it is answered stay with it. The metrics are `http_requests_total{route,method,code}`,
/// `http_request_duration_seconds{route,method}` and `http_requests_in_progress{route}`; routes are templates, never
/// paths, and a cancelled request counts under 499.
public struct WhorlMiddleware<Context: RequestContext>: RouterMiddleware {
    private let metrics = RequestRecorder()
    private let reportsServerErrors: Bool

    /// A middleware; `reportsServerErrors` says whether answers of 500 and above are reported where nothing was thrown.
    public init(reportsServerErrors: Bool = true) {
        self.reportsServerErrors = reportsServerErrors
    }

    /// Passes the request on, and records what becomes of it.
    public func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        // The router has found the route before it runs its middleware.
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
                            "\(request.method.rawValue) \(route ?? "unknown route") answered \(response.status.code)",
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

    /// The template of the route; Hummingbird's own word for a path without one is `NotFound`.
    private static func route(_ context: Context) -> String? {
        context.endpointPath == "NotFound" ? nil : context.endpointPath
    }

    /// The status that an error becomes: its own, 499 for a cancelled request, else 500.
    private static func status(of error: any Error) -> Int {
        if error is CancellationError { return 499 }
        return (error as? any HTTPResponseError)?.status.code ?? 500
    }
}
