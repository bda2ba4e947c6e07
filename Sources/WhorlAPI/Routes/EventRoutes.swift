import Foundation
import NIOCore
import WhorlProtocol
import WhorlStore

/// The routes for the events of issues and of projects.
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
                return .encoded(
                    try await request.services.worker.run {
                        ByteBuffer(bytes: JSON(try JSONDocument(event.payload()).root).encoded())
                    }
                )
            },
        ]

    /// Maximum size of a page; it ends before an event that would exceed it, and its cursor continues from there.
    private static let maxPageBytes = 8 << 20

    private static func list(_ source: EventQueries.Source, _ request: APIRequest) async throws -> APIResponse {
        let cursor = try request.cursor()
        let limit = try request.limit()
        let isFull = ["1", "true"].contains(request.first("full") ?? "")
        var shapes: [ByteBuffer] = []
        var places: [(value: Int, id: Int)] = []
        var bytes = 0
        var position = cursor
        // One event more than the page shows whether there is another page.
        pieces: while places.count <= limit {
            let found = try await request.services.events.list(
                source,
                environments: request.environments(),
                cursor: position,
                limit: limit + 1 - places.count
            )
            for event in found.events {
                let place = EventQueries.place(of: event)
                places.append(place)
                position = Cursor(value: place.value, id: place.id, isPrevious: cursor?.isPrevious ?? false)
                guard shapes.count < limit else { break pieces }
                let shape = try await request.services.encoded(event) {
                    isFull ? $0.detail(previous: nil, next: nil) : $0.summary
                }
                bytes += shape.readableBytes + 1
                // The first event is always included, because the size of an event is limited.
                if bytes > maxPageBytes, !shapes.isEmpty { break pieces }
                shapes.append(shape)
            }
            guard found.isCut else { break }
        }
        let page = Page(places, limit: shapes.count, cursor: cursor) { $0 }
        if cursor?.isPrevious ?? false { shapes.reverse() }
        var answer = APIResponse(body: .list(shapes))
        answer.headers[.link] = Pagination.link(page, request)
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

    private static func detail(_ event: StoredEvent, _ request: APIRequest) async throws -> APIResponse {
        let neighbours = try await request.services.events.neighbours(of: event)
        return .encoded(
            try await request.services.encoded(event) {
                $0.detail(previous: neighbours.previous, next: neighbours.next)
            }
        )
    }
}
