import WhorlProtocol
import WhorlStore

/// The routes that resolve a short id or an event id.
enum LookupRoutes {
    static let endpoints = [
        Endpoint(
            .get,
            "/organizations/{organization}/shortids/{short_id}/",
            scope: "event:read",
            "The issue of a short id.",
            answer: .one("ShortID")
        ) { request in
            let organization = try await request.organization()
            guard let shortID = ShortID(try request.parameter("short_id")),
                let issue = try await request.services.issues.issue(shortID: shortID, organizationID: organization.id)
            else { throw APIError.notFound }
            return .json([
                "organizationSlug": .string(organization.slug), "projectSlug": .string(issue.project),
                "groupId": .string(String(issue.id)), "shortId": .string(issue.shortID),
                "group": IssueShape.json(issue, publicURL: request.services.publicURL(), stats: nil),
            ])
        },
        Endpoint(
            .get,
            "/organizations/{organization}/eventids/{event_id}/",
            scope: "event:read",
            "The project and the issue of an event id.",
            answer: .one("EventLookup")
        ) { request in
            let organization = try await request.organization()
            guard let id = EventID(try request.parameter("event_id")) else { throw APIError.notFound }
            guard let place = try await request.services.events.locate(id, organizationID: organization.id),
                let event = try await request.services.events.event(id, projectID: place.projectID)
            else { return .json(try await dropped(id, organization, request)) }
            let read = try await request.services.read(event)
            let shape = await request.services.worker.run {
                EventShape(event, read).detail(previous: nil, next: nil)
            }
            return .json([
                "organizationSlug": .string(organization.slug), "projectSlug": .string(place.project),
                "groupId": .string(String(event.issueID)), "eventId": .string(id.hex), "event": shape,
            ])
        },
    ]

    /// The outcome of an event that was not kept, as long as the outcome is stored.
    private static func dropped(
        _ id: EventID,
        _ organization: Organization,
        _ request: APIRequest
    ) async throws -> JSON {
        guard let dropped = try await request.services.outcomes.dropped(id, organizationID: organization.id) else {
            throw APIError.notFound
        }
        return [
            "organizationSlug": .string(organization.slug), "projectSlug": .string(dropped.project), "groupId": nil,
            "eventId": .string(id.hex), "event": nil,
            "dropped": [
                "outcome": .string(dropped.outcome), "reason": .string(dropped.reason),
                "dateReceived": .string(Timestamp.format(dropped.at)),
            ],
        ]
    }
}
