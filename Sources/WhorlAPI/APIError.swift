import HTTPTypes
import Hummingbird
import NIOCore
import WhorlPostgres
import WhorlProtocol
import WhorlStore

/// An error response of the JSON API, in text that is safe to show.
package struct APIError: HTTPResponseError, Sendable {
    package let status: HTTPResponse.Status
    package let detail: String
    package let headers: HTTPFields

    package init(status: HTTPResponse.Status, detail: String, headers: HTTPFields = [:]) {
        self.status = status
        self.detail = detail
        self.headers = headers
    }

    /// The response for a resource that does not exist, or that the token may not see.
    package static let notFound = APIError(status: .notFound, detail: "The requested resource does not exist")

    static let unauthorized = APIError(
        status: .unauthorized,
        detail: "Authentication credentials were not provided or are not valid.",
        headers: [.wwwAuthenticate: "Bearer"]
    )

    static let forbidden = APIError(
        status: .forbidden,
        detail: "You do not have permission to perform this action."
    )

    /// The response for a feature of Sentry that is not implemented.
    static func notImplemented(_ what: String) -> APIError {
        APIError(status: .notImplemented, detail: "\(what) is not implemented; nothing was changed")
    }

    static func badRequest(_ detail: String) -> APIError { APIError(status: .badRequest, detail: detail) }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: (["detail": .string(detail)] as JSON).encoded()))
        )
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}
