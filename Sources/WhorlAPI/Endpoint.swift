import HTTPTypes
import WhorlProtocol

/// One operation of the API: its method and path, the required scope, its handler, and its response.
///
/// The router, the OpenAPI document and the test with tokens of other organisations are all generated from the list of
/// endpoints.
package struct Endpoint: Sendable {
    package let method: HTTPRequest.Method
    /// The path below `/api/0`, with parameters in braces and a trailing slash.
    package let path: String
    /// The scope that the token needs; nil if any valid token is sufficient.
    package let scope: String?
    package let summary: String
    /// The names of the query parameters.
    package let query: [String]
    /// The type of a successful response.
    package let answer: Answer
    let handle: @Sendable (APIRequest) async throws -> APIResponse

    /// The type of a successful response, by the name of a schema of the OpenAPI document.
    package enum Answer: Sendable {
        case one(String)
        case list(String)
        case nothing

        var schema: String? {
            switch self {
            case .one(let name), .list(let name): name
            case .nothing: nil
            }
        }
    }

    init(
        _ method: HTTPRequest.Method,
        _ path: String,
        scope: String?,
        _ summary: String,
        query: [String] = [],
        answer: Answer,
        _ handle: @escaping @Sendable (APIRequest) async throws -> APIResponse
    ) {
        self.method = method
        self.path = path
        self.scope = scope
        self.summary = summary
        self.query = query
        self.answer = answer
        self.handle = handle
    }
}
