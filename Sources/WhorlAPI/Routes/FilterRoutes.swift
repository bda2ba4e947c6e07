import WhorlProtocol
import WhorlStore

/// The routes for the inbound filters of a project that can only be switched on or off.
enum FilterRoutes {
    private static let path = "/projects/{organization}/{project}/filters/"
    private static let names = ["localhost", "legacy-browsers", "web-crawlers"]

    static let endpoints = [
        Endpoint(.get, path, scope: "project:read", "The filters of a project.", answer: .list("Filter")) { request in
            let settings = try await request.services.administration.settings(projectID: request.project().id)
            return .whole(names.map { shape($0, settings) }, request)
        },
        Endpoint(
            .put,
            path + "{filter}/",
            scope: "project:write",
            "Switches a filter on or off.",
            answer: .one("Filter")
        ) { request in
            let project = try await request.project()
            let name = try request.parameter("filter")
            guard names.contains(name) else { throw APIError.notFound }
            guard let isActive = request.body?["active"]?.bool else {
                throw APIError.badRequest("active must be true or false")
            }
            try await request.services.administration.updateProject(
                projectID: project.id,
                slug: nil,
                name: nil,
                platform: nil
            ) { settings in
                switch name {
                case "localhost": settings.filters.localhost = isActive
                case "legacy-browsers": settings.filters.legacyBrowsers = isActive
                default: settings.filters.webCrawlers = isActive
                }
            }
            return .json(shape(name, try await request.services.administration.settings(projectID: project.id)))
        },
    ]

    private static func shape(_ name: String, _ settings: ProjectSettings) -> JSON {
        let isActive =
            switch name {
            case "localhost": settings.filters.localhost
            case "legacy-browsers": settings.filters.legacyBrowsers
            default: settings.filters.webCrawlers
            }
        return ["id": .string(name), "active": .bool(isActive)]
    }
}
