import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import WhorlAPI
import WhorlPostgres
import WhorlProtocol

/// The one place that turns an error into an answer: JSON with a `detail`, and nothing of what happened inside.
struct ErrorAnswers<Context: RequestContext>: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return answer(error.status, error.detail, error.headers)
        } catch let error as PostgresError where error.code == .poolExhausted {
            return answer(.serviceUnavailable, "Too many requests wait for the database", [.retryAfter: "5"])
        } catch let error as PostgresError where error.meansServerAway {
            return answer(.serviceUnavailable, "The database does not answer", [.retryAfter: "5"])
        } catch let error as PostgresError where error.isTooSlow {
            return answer(.serviceUnavailable, "The request took too long", [.retryAfter: "5"])
        } catch let error as CancellationError {
            throw error
        } catch let error as any HTTPResponseError {
            let detail = error.status == .notFound ? APIError.notFound.detail : error.status.reasonPhrase
            return answer(error.status, detail)
        } catch {
            logger.error(
                "request failed",
                metadata: ["error": "\(error)", "http.route": "\(context.endpointPath ?? "")"]
            )
            return answer(.internalServerError, "Internal error")
        }
    }

    private func answer(_ status: HTTPResponse.Status, _ detail: String, _ headers: HTTPFields = [:]) -> Response {
        var response = Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: (["detail": .string(detail)] as JSON).encoded()))
        )
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}
