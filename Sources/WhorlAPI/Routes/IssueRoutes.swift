import Foundation
import WhorlProtocol
import WhorlStore

/// The routes for one issue: show, change and delete it, its tags, and its events over time.
///
/// The issue is identified by its id or, within its organization, by its id or its short id.
enum IssueRoutes {
    static let paths = ["/issues/{issue}/", "/organizations/{organization}/issues/{issue}/"]

    static let endpoints = paths.flatMap { path in
        [
            Endpoint(
                .get,
                path,
                scope: "event:read",
                "One issue with its tags, activity and series.",
                query: ["environment"],
                answer: .one("IssueDetail"),
                detail
            ),
            Endpoint(.put, path, scope: "event:write", "Changes the status of an issue.", answer: .one("IssueDetail")) {
                request in
                let issue = try await request.issue()
                _ = try await IssueChange(request.body).apply(to: [(issue.projectID, issue.id)], request)
                return try await detail(request)
            },
            Endpoint(
                .delete,
                path,
                scope: "event:admin",
                "Deletes an issue and its events; the next such event creates a new issue.",
                answer: .nothing
            ) { request in
                let issue = try await request.issue()
                // The id of a merged issue resolves to the target of the merge, which the request does not name.
                if let id = Int(try request.parameter("issue")), id != issue.id { throw APIError.notFound }
                try await request.services.issues.delete([(issue.projectID, issue.id)])
                return .noContent
            },
            Endpoint(
                .get,
                path + "stats/",
                scope: "event:read",
                "Events over time.",
                query: ["statsPeriod", "environment"],
                answer: .list("Point")
            ) { request in
                let issue = try await request.issue()
                let points = try await IssueSeries.points(
                    [issue],
                    period: request.first("statsPeriod") ?? "24h",
                    environments: request.environments(),
                    request.services.issues,
                    now: Date()
                )
                return .json(points[issue.id] ?? [])
            },
            Endpoint(
                .get,
                path + "tags/",
                scope: "event:read",
                "The tags of an issue with their most frequent values.",
                query: ["environment", "limit"],
                answer: .list("Tag")
            ) { request in
                let issue = try await request.issue()
                return .json(.array(try await tags(of: issue, request)))
            },
            Endpoint(
                .get,
                path + "tags/{key}/",
                scope: "event:read",
                "One tag of an issue.",
                query: ["environment"],
                answer: .one("Tag")
            ) { request in
                let issue = try await request.issue()
                let key = try request.parameter("key")
                guard let tag = try await tags(of: issue, request).first(where: { $0["key"]?.string == key }) else {
                    throw APIError.notFound
                }
                return .json(tag)
            },
            Endpoint(
                .get,
                path + "tags/{key}/values/",
                scope: "event:read",
                "The values of one tag of an issue, the most frequent first.",
                query: ["environment", "per_page"],
                answer: .list("TagValue")
            ) { request in
                let issue = try await request.issue()
                let values = try await request.services.tags.values(
                    projectID: issue.projectID,
                    issueID: issue.id,
                    key: request.parameter("key"),
                    environments: request.environments(),
                    limit: request.limit()
                )
                return .whole(values.map(TagShape.value), request)
            },
        ]
    }

    private static func detail(_ request: APIRequest) async throws -> APIResponse {
        let now = Date()
        let issue = try await request.issue()
        var stats: [(key: String, value: JSON)] = []
        for period in ["24h", "14d"] {
            let points = try await IssueSeries.points(
                [issue],
                period: period,
                environments: request.environments(),
                request.services.issues,
                now: now
            )
            stats.append((period, points[issue.id] ?? []))
        }
        let activity = try await request.services.issues.activity(projectID: issue.projectID, id: issue.id)
        return .json(
            IssueShape.detail(
                issue,
                publicURL: request.services.publicURL(),
                stats: .object(stats),
                eventsWithoutPayload: try await request.services.issues.eventsWithoutPayload(
                    projectID: issue.projectID,
                    id: issue.id
                ),
                tags: try await tags(of: issue, request),
                activity: activity
            )
        )
    }

    /// Number of values shown for each tag in a list of tags.
    private static let topValues = 10

    private static func tags(of issue: Issue, _ request: APIRequest) async throws -> [JSON] {
        let environments = request.environments()
        let keys = try await request.services.tags.keys(
            projectID: issue.projectID,
            issueID: issue.id,
            environments: environments
        )
        let values = try await request.services.tags.values(
            projectID: issue.projectID,
            issueID: issue.id,
            key: nil,
            environments: environments,
            limit: topValues
        )
        let byKey = Dictionary(grouping: values, by: \.key)
        return keys.map { TagShape.json($0, top: byKey[$0.key] ?? []) }
    }
}
