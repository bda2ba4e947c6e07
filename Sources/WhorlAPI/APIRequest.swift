import Foundation
import HTTPTypes
import NIOCore
import WhorlProcessing
import WhorlProtocol
import WhorlStore
import WhorlThreads

/// A request to the JSON API with a valid token.
struct APIRequest: Sendable {
    let grant: TokenGrant
    let services: APIServices
    /// The captured parts of the path, percent-decoded.
    let path: [String: String]
    /// The query parameters in order; a name may occur several times.
    let query: [(name: String, value: String)]
    /// The path and query as requested, for links to other pages.
    let url: String
    let body: JSON?

    /// The author of changes, for the history of issues.
    var actor: String { "token \(grant.id)" }

    func parameter(_ name: String) throws -> String {
        guard let value = path[name], !value.isEmpty else { throw APIError.notFound }
        return value
    }

    func first(_ name: String) -> String? { query.first { $0.name == name }?.value }

    func all(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

    // MARK: - Resources of the path that the token may see

    func organization() async throws -> Organization {
        guard let organization = try await services.administration.organization(slug: parameter("organization")),
            grant.organizationID == nil || grant.organizationID == organization.id
        else { throw APIError.notFound }
        return organization
    }

    func project() async throws -> Project {
        let organization = try await organization()
        guard
            let project = try await services.administration.project(
                parameter("project"),
                organizationID: organization.id
            )
        else { throw APIError.notFound }
        return project
    }

    /// The issue of the path, by its id or, within an organisation, by its short id.
    func issue() async throws -> Issue {
        let name = try parameter("issue")
        let organizationID = path["organization"] == nil ? grant.organizationID : try await organization().id
        if let id = Int(digits: name) {
            guard let issue = try await services.issues.issue(id: id, organizationID: organizationID) else {
                throw APIError.notFound
            }
            return issue
        }
        guard let organizationID, let shortID = ShortID(name),
            let issue = try await services.issues.issue(shortID: shortID, organizationID: organizationID)
        else { throw APIError.notFound }
        return issue
    }

    // MARK: - Common parameters

    func cursor() throws -> Cursor? {
        do {
            return try Cursor.parse(first("cursor"))
        } catch {
            throw APIError.badRequest("Invalid cursor parameter.")
        }
    }

    /// The page size: 1 to 100.
    func limit() throws -> Int {
        guard let text = first("per_page") ?? first("limit"), !text.isEmpty else { return 100 }
        guard let limit = Int(digits: text), limit > 0 else { throw APIError.badRequest("Invalid per_page parameter.") }
        return min(limit, 100)
    }

    func environments() -> [String] {
        Array(all("environment").filter { !$0.isEmpty }.prefix(50))
    }

    /// The requested time window: `statsPeriod`, or `start` and `end` together; nil if there is none.
    func window(now: Date) throws -> (from: Date, to: Date)? {
        if let period = first("statsPeriod"), !period.isEmpty {
            guard let span = timeSpan(period) else {
                throw APIError.badRequest("Invalid statsPeriod: \(period.prefix(20))")
            }
            return (now.addingTimeInterval(-span), now)
        }
        guard let start = first("start"), let end = first("end") else {
            if first("start") != nil || first("end") != nil {
                throw APIError.badRequest("start and end are both required")
            }
            return nil
        }
        guard let from = Timestamp.parse(start), let to = Timestamp.parse(end), from <= to else {
            throw APIError.badRequest("Invalid start or end")
        }
        return (from, to)
    }

    /// A string member of the body; nil when absent or null.
    func bodyString(_ key: String) throws -> String? {
        guard let value = body?[key], value != .null else { return nil }
        guard let text = value.string else { throw APIError.badRequest("\(key) must be a string") }
        return text
    }
}

/// The dependencies of the API routes.
struct APIServices: Sendable {
    let administration: Administration
    let issues: IssueQueries
    let events: EventQueries
    let tags: TagQueries
    let outcomes: OutcomeQueries
    let merging: IssueMerging
    let trial: GroupingTrial
    let regroup: RegroupJobs
    /// Limits the requests that are processed at the same time.
    let gates: RequestGates
    /// The thread that decompresses payloads, shapes events and encodes responses.
    let worker: WorkThread
    /// The grouping rules of the installation.
    let rules: GroupingRules
    let publicURL: @Sendable () -> String
    /// Called for each new project, with its organisation and slug, so that its metrics are created at zero.
    let projectCreated: @Sendable (String, String) -> Void
}

/// The response of a route.
struct APIResponse: Sendable {
    var status: HTTPResponse.Status = .ok
    var body = Body.none
    var headers: HTTPFields = [:]

    /// The body of a response.
    enum Body: Sendable {
        case none
        case json(JSON)
        /// JSON that is already encoded.
        case encoded(ByteBuffer)
        /// The elements of an array, each already encoded.
        case list([ByteBuffer])
    }

    static func json(_ body: JSON) -> APIResponse { APIResponse(body: .json(body)) }
    static func encoded(_ bytes: ByteBuffer) -> APIResponse { APIResponse(body: .encoded(bytes)) }
    static let noContent = APIResponse(status: .noContent)

    /// A page of a list, with links to the previous and next page.
    static func page<Element>(_ page: Page<Element>, _ request: APIRequest, _ shape: (Element) -> JSON) -> APIResponse {
        var answer = APIResponse.json(.array(page.elements.map(shape)))
        answer.headers[.link] = Pagination.link(page, request)
        return answer
    }

    /// A list that always fits on one page, with the links that clients expect.
    static func whole(_ elements: [JSON], _ request: APIRequest) -> APIResponse {
        let page = Page(elements, limit: Int.max - 1, cursor: nil) { _ in (0, 0) }
        return .page(page, request) { $0 }
    }
}
