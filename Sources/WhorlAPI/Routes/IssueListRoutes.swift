import Foundation
import HTTPTypes
import WhorlPostgres
import WhorlProtocol
import WhorlStore

/// The routes for the issues of a project or of an organization: list, change and delete many issues at once.
enum IssueListRoutes {
    /// Maximum number of ids in one request.
    private static let maxIDs = 1_000
    /// Maximum number of issues that one request changes; if more match, none is changed.
    private static let maxBulk = 10_000

    private static let query = [
        "query", "sort", "cursor", "per_page", "limit", "environment", "project", "statsPeriod", "start", "end",
        "groupStatsPeriod",
    ]

    static let endpoints =
        both(
            .get,
            scope: "event:read",
            "Issues that match a query; without a query, is:unresolved.",
            query: query,
            answer: .list("Issue"),
            list
        )
        + both(
            .put,
            scope: "event:write",
            "Changes the issues named by id, or all that match the query or status.",
            query: ["id", "status", "query", "project", "environment"],
            answer: .one("IssueChange"),
            update
        )
        + both(
            .delete,
            scope: "event:admin",
            "Deletes the issues named by id, or all that match the query.",
            query: ["id", "query", "project", "environment"],
            answer: .nothing,
            delete
        )

    private static func both(
        _ method: HTTPRequest.Method,
        scope: String,
        _ summary: String,
        query: [String],
        answer: Endpoint.Answer,
        _ handle: @escaping @Sendable (APIRequest) async throws -> APIResponse
    ) -> [Endpoint] {
        ["/projects/{organization}/{project}/issues/", "/organizations/{organization}/issues/"]
            .map {
                Endpoint(method, $0, scope: scope, summary, query: query, answer: answer, handle)
            }
    }

    // MARK: - Parameters

    /// The projects that the path and the parameter `project` select.
    private static func projectIDs(_ request: APIRequest) async throws -> [Int] {
        if request.path["project"] != nil { return [try await request.project().id] }
        let organization = try await request.organization()
        let all = try await request.services.administration.projects(organizationID: organization.id).map(\.id)
        let chosen = request.all("project").filter { $0 != "-1" && !$0.isEmpty }
        guard !chosen.isEmpty else { return all }
        return try chosen.map { text in
            guard let id = Int(digits: text), all.contains(id) else { throw APIError.notFound }
            return id
        }
    }

    private static func request(
        _ request: APIRequest,
        _ projectIDs: [Int],
        query text: String
    ) throws -> IssueQueries.Request {
        let query: SearchQuery
        do {
            query = try SearchQuery(text)
        } catch {
            throw APIError.badRequest(error.detail)
        }
        var list = IssueQueries.Request(projectIDs: projectIDs, query: query)
        list.environments = request.environments()
        return list
    }

    private static func searched<Value>(
        _ query: SearchQuery,
        _ gates: RequestGates,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let place = query.mostExpensiveTerm == nil ? nil : try await gates.enterSearch()
        defer { place?.leave() }
        do {
            return try await body()
        } catch let error as SearchQuery.SyntaxError {
            throw APIError.badRequest(error.detail)
        } catch let error as PostgresError where error.isTooSlow {
            let advice =
                query.mostExpensiveTerm.map { "Narrow or leave out: \($0.prefix(80))" }
                ?? "Ask for fewer projects or a shorter time"
            throw APIError(
                status: .serviceUnavailable,
                detail: "The search took too long. \(advice)",
                headers: [.retryAfter: "5"]
            )
        }
    }

    // MARK: - Operations

    private static func list(_ request: APIRequest) async throws -> APIResponse {
        let now = Date()
        let projects = try await projectIDs(request)
        var list = try self.request(request, projects, query: request.first("query") ?? "is:unresolved")
        switch request.first("sort") ?? "date" {
        case "date", "recommended", "trends", "inbox", "": list.order = .date
        case let name:
            guard let order = IssueQueries.Order(rawValue: name) else {
                throw APIError.badRequest("Invalid sort: \(name.prefix(20))")
            }
            list.order = order
        }
        if let window = try request.window(now: now) { (list.from, list.to) = window }
        list.cursor = try request.cursor()
        list.limit = try request.limit()
        let page = try await searched(list.query, request.services.gates) {
            try await request.services.issues.list(list, now: now)
        }
        let series = try await IssueSeries.of(page.elements, request, now: now)
        let publicURL = request.services.publicURL()
        return .page(page, request) { IssueShape.json($0, publicURL: publicURL, stats: series[$0.id]) }
    }

    /// The issues to change, with their projects: those named by id, or all that match a query or status.
    private static func chosen(_ request: APIRequest) async throws -> [IssueQueries.Place] {
        // Runs first, so that a project that the token may not see is reported as not found, even if the rest of the
        // request is invalid.
        let projects = try await projectIDs(request)
        let ids = request.all("id")
        if !ids.isEmpty {
            guard ids.count <= maxIDs else { throw APIError.badRequest("At most \(maxIDs) ids can be given") }
            guard request.first("query") ?? "" == "", request.first("status") ?? "" == "" else {
                throw APIError.badRequest("Give ids, or a query, not both")
            }
            let numbers = try ids.map { text in
                guard let id = Int(digits: text), id > 0 else {
                    throw APIError.badRequest("Invalid id: \(text.prefix(20))")
                }
                return id
            }
            return try await request.services.issues.shown(numbers, projectIDs: projects)
        }
        var query = request.first("query") ?? ""
        if let status = request.first("status"), !status.isEmpty {
            guard let status = IssueStatus(name: status) else { throw APIError.badRequest("Invalid status") }
            query += " is:\(status.name)"
        }
        guard request.all("query").count <= 1 else { throw APIError.badRequest("Give only one query") }
        let list = try self.request(request, projects, query: query)
        guard !list.query.terms.isEmpty || (list.query.phrase ?? "").contains(where: { !$0.isWhitespace }) else {
            throw APIError.badRequest(
                "Give ids of issues, or a query; for example, is:unresolved selects all unresolved issues"
            )
        }
        let found = try await searched(list.query, request.services.gates) {
            try await request.services.issues.ids(list, limit: maxBulk + 1)
        }
        guard found.count <= maxBulk else {
            throw APIError.badRequest("More than \(maxBulk) issues match; narrow the query. Nothing was changed")
        }
        return found
    }

    private static func update(_ request: APIRequest) async throws -> APIResponse {
        let issues = try await chosen(request)
        let change = try IssueChange(request.body)
        guard !issues.isEmpty else { return .noContent }
        guard let merge = try await change.apply(to: issues, request) else { return .json(change.json) }
        return .json(.object((change.json.object ?? []) + [("merge", merge)]))
    }

    private static func delete(_ request: APIRequest) async throws -> APIResponse {
        try await request.services.issues.delete(chosen(request))
        return .noContent
    }
}
