import HTTPTypes
import Hummingbird

/// Answers HEAD requests with the head of the response to GET and no body (RFC 9110, 9.3.2).
package struct HeadResponseMiddleware<Context: RequestContext>: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let response = try await next(request, context)
        return request.method == .head ? response.createHeadResponse() : response
    }
}
