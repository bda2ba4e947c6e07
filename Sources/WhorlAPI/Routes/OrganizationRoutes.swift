import WhorlProtocol

/// The routes for organizations and their projects.
enum OrganizationRoutes {
    static let endpoints = [
        Endpoint(
            .get,
            "/organizations/",
            scope: "org:read",
            "The organizations that the token may see.",
            answer: .list("Organization")
        ) { request in
            let list = try await request.services.administration.organizations(visibleTo: request.grant.organizationID)
            return .whole(list.map(OrganizationShape.json), request)
        },
        Endpoint(
            .get,
            "/organizations/{organization}/",
            scope: "org:read",
            "One organization.",
            answer: .one("Organization")
        ) { .json(OrganizationShape.json(try await $0.organization())) },
        Endpoint(
            .get,
            "/organizations/{organization}/projects/",
            scope: "project:read",
            "The projects of an organization.",
            query: ["cursor"],
            answer: .list("Project")
        ) { request in
            let organization = try await request.organization()
            let projects = try await request.services.administration.projects(organizationID: organization.id)
            return .whole(projects.map(ProjectShape.json), request)
        },
        Endpoint(
            .post,
            "/organizations/{organization}/projects/",
            scope: "project:write",
            "Creates a project and its first key.",
            answer: .one("Project")
        ) { request in
            let organization = try await request.organization()
            let name = try request.bodyString("name")
            let slug = try request.bodyString("slug") ?? name.map(ProjectShape.slug)
            guard let slug else { throw APIError.badRequest("name is required") }
            let project = try await withAPIErrors {
                try await request.services.administration
                    .createProject(
                        slug: slug,
                        name: name,
                        platform: request.bodyString("platform"),
                        organizationID: organization.id
                    )
                    .project
            }
            request.services.projectCreated(organization.slug, project.slug)
            return APIResponse(status: .created, body: .json(ProjectShape.json(project)))
        },
    ]
}
