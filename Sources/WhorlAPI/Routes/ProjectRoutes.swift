import WhorlProtocol

/// The routes for one project: show, change and delete it.
enum ProjectRoutes {
    private static let path = "/projects/{organization}/{project}/"

    static let endpoints = [
        Endpoint(
            .get,
            "/projects/",
            scope: "project:read",
            "The projects that the token may see.",
            query: ["cursor"],
            answer: .list("Project")
        ) { request in
            let projects = try await request.services.administration.projects(
                organizationID: request.grant.organizationID
            )
            return .whole(projects.map(ProjectShape.json), request)
        },
        Endpoint(.get, path, scope: "project:read", "One project.", answer: .one("Project")) { request in
            let project = try await request.project()
            let settings = try await request.services.administration.settings(projectID: project.id)
            return .json(ProjectShape.detail(project, try await request.organization(), settings))
        },
        Endpoint(
            .put,
            path,
            scope: "project:write",
            "Changes a project: name, slug, platform, filters, scrubbing, limits.",
            answer: .one("Project")
        ) { request in
            let project = try await request.project()
            let slug = try request.bodyString("slug")
            let body = request.body ?? [:]
            try await withAPIErrors {
                try await request.services.administration.updateProject(
                    projectID: project.id,
                    slug: slug,
                    name: request.bodyString("name"),
                    platform: request.bodyString("platform")
                ) { settings in try ProjectOptions.apply(body, to: &settings) }
            }
            guard
                let changed = try await request.services.administration.project(
                    slug ?? project.slug,
                    organizationID: project.organizationID
                )
            else { throw APIError.notFound }
            let settings = try await request.services.administration.settings(projectID: changed.id)
            return .json(ProjectShape.detail(changed, try await request.organization(), settings))
        },
        Endpoint(
            .delete,
            path,
            scope: "project:admin",
            "Deletes a project, its keys and its events.",
            answer: .nothing
        ) { request in
            try await request.services.administration.deleteProject(id: request.project().id)
            return .noContent
        },
    ]
}
