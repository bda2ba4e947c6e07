import WhorlProtocol

/// The route `/`: the version of the API and the scopes of the token.
enum RootRoutes {
    static let endpoints = [
        Endpoint(.get, "/", scope: nil, "The server version and the scopes of the token.", answer: .one("Root")) {
            let scopes = $0.grant.scopes.sorted().map(JSON.string)
            return .json(["version": "0", "auth": ["scopes": .array(scopes)], "user": nil])
        }
    ]
}
