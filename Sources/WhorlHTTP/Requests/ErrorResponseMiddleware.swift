import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import WhorlPostgres
import WhorlProtocol

/// Converts every error to a response: JSON with a `detail`, and no internal information.
package struct ErrorResponseMiddleware<Context: RequestContext>: RouterMiddleware {
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    package func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as PostgresError where error.code == .poolExhausted {
            return .problem(.serviceUnavailable, "Too many requests wait for the database", [.retryAfter: "5"])
        } catch let error as PostgresError where error.meansServerUnavailable {
            return .problem(.serviceUnavailable, "The database does not answer", [.retryAfter: "5"])
        } catch let error as PostgresError where error.isTooSlow {
            return .problem(.serviceUnavailable, "The request took too long", [.retryAfter: "5"])
        } catch let error as CancellationError {
            throw error
        } catch let error as HTTPError {
            return .problem(error.status, error.status == .notFound ? Self.notFound : error.status.reasonPhrase)
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        } catch {
            logger.error(
                "request failed",
                metadata: ["error": "\(error)", "http.route": "\(context.endpointPath ?? "")"]
            )
            return .problem(.internalServerError, "Internal error")
        }
    }

    private static var notFound: String { "The requested resource does not exist" }
}

extension Response {
    /// An error response: JSON with a `detail`, which must be safe to show.
    package static func problem(
        _ status: HTTPResponse.Status,
        _ detail: String,
        _ headers: HTTPFields = [:]
    ) -> Response {
        var response = Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: (["detail": .string(detail)] as JSON).encoded()))
        )
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}
