import Foundation
import WhorlProtocol
import WhorlStore

/// Events of issues and of projects.
enum EventRoutes {
    private static let projectPath = "/projects/{organization}/{project}/events/"
    private static let listQuery = ["cursor", "per_page", "environment", "full"]

    static let endpoints =
        IssueRoutes.paths.flatMap { path in
            [
                Endpoint(
                    .get,
                    path + "events/",
                    scope: "event:read",
                    "The events of an issue, the newest first.",
                    query: listQuery,
                    answer: .list("Event")
                ) { request in
                    let issue = try await request.issue()
                    return try await list(.issue(projectID: issue.projectID, id: issue.id), request)
                },
                Endpoint(
                    .get,
                    path + "events/{event}/",
                    scope: "event:read",
                    "One event of an issue: by its id, or latest, oldest or recommended.",
                    answer: .one("EventDetail")
                ) { try await detail(try await eventOfIssue($0), $0) },
            ]
        } + [
            Endpoint(
                .get,
                projectPath,
                scope: "event:read",
                "The events of a project, the newest first.",
                query: listQuery,
                answer: .list("Event")
            ) { request in
                try await list(.project(request.project().id), request)
            },
            Endpoint(
                .get,
                projectPath + "{event}/",
                scope: "event:read",
                "One event of a project.",
                answer: .one("EventDetail")
            ) { try await detail(try await eventOfProject($0), $0) },
            Endpoint(
                .get,
                projectPath + "{event}/json/",
                scope: "event:read",
                "The event as it was received.",
                answer: .one("Payload")
            ) { request in
                let event = try await eventOfProject(request)
                return .json(JSON(try JSONDocument(event.payload).root))
            },
        ]

    private static func list(_ source: EventQueries.Source, _ request: APIRequest) async throws -> APIAnswer {
        let page = try await request.services.events.list(
            source,
            environments: request.environments(),
            cursor: request.cursor(),
            limit: request.limit()
        )
        let isFull = ["1", "true"].contains(request.first("full") ?? "")
        let shapes = try page.elements.map { event in
            isFull ? try EventShape(event).detail(previous: nil, next: nil) : try EventShape(event).summary
        }
        let links = Pagination.link(page, request)
        var answer = APIAnswer.json(.array(shapes))
        answer.headers[.link] = links
        return answer
    }

    private static func eventOfIssue(_ request: APIRequest) async throws -> StoredEvent {
        let issue = try await request.issue()
        let name = try request.parameter("event")
        let event: StoredEvent?
        switch name {
        case "latest", "recommended":
            event = try await request.services.events.end(ofIssue: issue.id, projectID: issue.projectID, newest: true)
        case "oldest":
            event = try await request.services.events.end(ofIssue: issue.id, projectID: issue.projectID, newest: false)
        default:
            guard let id = EventID(name) else { throw APIError.notFound }
            event = try await request.services.events.event(id, projectID: issue.projectID)
        }
        guard let event, event.issueID == issue.id else { throw APIError.notFound }
        return event
    }

    private static func eventOfProject(_ request: APIRequest) async throws -> StoredEvent {
        let project = try await request.project()
        guard let id = EventID(try request.parameter("event")),
            let event = try await request.services.events.event(id, projectID: project.id)
        else { throw APIError.notFound }
        return event
    }

    private static func detail(_ event: StoredEvent, _ request: APIRequest) async throws -> APIAnswer {
        let neighbours = try await request.services.events.neighbours(of: event)
        return .json(try EventShape(event).detail(previous: neighbours.previous, next: neighbours.next))
    }
}
