import WhorlProtocol

/// `/`: who asks, and what the token may do.
enum RootRoutes {
    static let endpoints = [
        Endpoint(.get, "/", scope: nil, "What this server is, and what the token may do.", answer: .one("Root")) {
            let scopes = $0.grant.scopes.sorted().map(JSON.string)
            return .json(["version": "0", "auth": ["scopes": .array(scopes)], "user": nil])
        }
    ]
}
