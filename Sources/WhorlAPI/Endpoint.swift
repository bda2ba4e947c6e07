import HTTPTypes
import WhorlProtocol

/// One operation of the API: how it is reached, who may, what it does, and what it answers.
///
/// The router, the OpenAPI document and the test of other organisations' tokens are all made from the list of these.
package struct Endpoint: Sendable {
    package let method: HTTPRequest.Method
    /// Below `/api/0`, with the captured parts in braces and a slash at the end.
    package let path: String
    /// The scope that the token needs; nil when any valid token will do.
    package let scope: String?
    package let summary: String
    /// Names of query parameters.
    package let query: [String]
    /// What a success answers.
    package let answer: Answer
    let handle: @Sendable (APIRequest) async throws -> APIAnswer

    /// The form of a successful answer, by the name of a schema of the OpenAPI document.
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
        _ handle: @escaping @Sendable (APIRequest) async throws -> APIAnswer
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
