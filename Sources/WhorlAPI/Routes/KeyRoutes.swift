import WhorlProtocol
import WhorlStore

/// The routes for the keys of a project.
enum KeyRoutes {
    private static let path = "/projects/{organization}/{project}/keys/"

    static let endpoints = [
        Endpoint(.get, path, scope: "project:read", "The keys of a project.", answer: .list("Key")) { request in
            let project = try await request.project()
            let keys = try await request.services.administration.keys(projectID: project.id)
            return .whole(keys.map { KeyShape.json($0, publicURL: request.services.publicURL()) }, request)
        },
        Endpoint(.post, path, scope: "project:write", "Creates a key.", answer: .one("Key")) { request in
            let project = try await request.project()
            let label = try request.bodyString("name") ?? "Default"
            guard label.utf8.count <= 200 else { throw APIError.badRequest("name is too long") }
            let key = try await withAPIErrors {
                try await request.services.administration.createKey(projectID: project.id, label: label)
            }
            return APIResponse(
                status: .created,
                body: .json(KeyShape.json(key, publicURL: request.services.publicURL()))
            )
        },
        Endpoint(.get, path + "{key}/", scope: "project:read", "One key.", answer: .one("Key")) { request in
            .json(KeyShape.json(try await key(request), publicURL: request.services.publicURL()))
        },
        Endpoint(
            .put,
            path + "{key}/",
            scope: "project:write",
            "Switches a key on or off, renames it, or sets its rate limit.",
            answer: .one("Key")
        ) { request in
            let old = try await key(request)
            let label = try request.bodyString("name")
            guard label.map({ (1...200).contains($0.utf8.count) }) ?? true else {
                throw APIError.badRequest("name must have 1 to 200 bytes")
            }
            var isActive: Bool?
            if let value = request.body?["isActive"], value != .null {
                guard let flag = value.bool else { throw APIError.badRequest("isActive must be true or false") }
                isActive = flag
            }
            try await request.services.administration.updateKey(
                projectID: old.projectID,
                publicKey: old.publicKey,
                isActive: isActive,
                label: label,
                limit: request.body?["rateLimit"].map { try limit($0) }
            )
            return .json(KeyShape.json(try await key(request), publicURL: request.services.publicURL()))
        },
        Endpoint(.delete, path + "{key}/", scope: "project:admin", "Deletes a key.", answer: .nothing) { request in
            let old = try await key(request)
            _ = try await request.services.administration.deleteKey(projectID: old.projectID, publicKey: old.publicKey)
            return .noContent
        },
    ]

    /// Parses a limit in the format of Sentry; null, or a count of 0, removes the limit.
    private static func limit(_ value: JSON) throws -> CountLimit? {
        if value == .null || value["count"] == .null || value["count"]?.int == 0 { return nil }
        guard let count = value["count"]?.int, (1...1_000_000_000).contains(count),
            let seconds = value["window"]?.int, (1...86_400).contains(seconds)
        else { throw APIError.badRequest("rateLimit needs a count of at least 1 and a window of 1 to 86400 seconds") }
        return CountLimit(count: count, seconds: seconds)
    }

    /// The key of the path, by its public key or its id.
    private static func key(_ request: APIRequest) async throws -> ProjectKey {
        let project = try await request.project()
        let name = try request.parameter("key")
        let keys = try await request.services.administration.keys(projectID: project.id)
        guard let key = keys.first(where: { $0.publicKey == name || String($0.id) == name }) else {
            throw APIError.notFound
        }
        return key
    }
}
