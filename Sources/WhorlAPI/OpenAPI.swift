import WhorlProtocol

/// The description of the API (OpenAPI 3.1), generated from the list of endpoints.
enum OpenAPI {
    static func document(publicURL: String) -> JSON {
        var paths: [(key: String, value: JSON)] = []
        for (path, endpoints) in grouped(APIRoutes.endpoints) {
            paths.append((path, .object(endpoints.map { ($0.method.rawValue.lowercased(), operation($0)) })))
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Whorl", "version": "0",
                "description": "Issues and events, in the format of Sentry's Web API.",
            ],
            "servers": [["url": .string(publicURL + "/api/0")]],
            "security": [["token": []]],
            "paths": .object(paths),
            "components": [
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
                "schemas": .object(OpenAPISchemas.all),
            ],
        ]
    }

    private static func grouped(_ endpoints: [Endpoint]) -> [(String, [Endpoint])] {
        var order: [String] = []
        for endpoint in endpoints where !order.contains(endpoint.path) { order.append(endpoint.path) }
        return order.map { path in (path, endpoints.filter { $0.path == path }) }
    }

    private static func operation(_ endpoint: Endpoint) -> JSON {
        var parameters: [JSON] = []
        for part in endpoint.path.split(separator: "/") where part.hasPrefix("{") {
            let name = String(part.dropFirst().dropLast())
            parameters.append(["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]])
        }
        parameters += endpoint.query.map {
            ["name": .string($0), "in": "query", "required": false, "schema": ["type": "string"]]
        }
        var members: [(key: String, value: JSON)] = [
            ("summary", .string(endpoint.summary)), ("parameters", .array(parameters)),
            ("responses", responses(endpoint)),
        ]
        if let scope = endpoint.scope { members.append(("x-scope", .string(scope))) }
        if endpoint.method == .put || endpoint.method == .post {
            members.append(("requestBody", ["content": ["application/json": ["schema": ["type": "object"]]]]))
        }
        return .object(members)
    }

    private static func responses(_ endpoint: Endpoint) -> JSON {
        let error: JSON = [
            "description": "The error.",
            "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
        ]
        func content(_ schema: JSON) -> JSON { ["application/json": ["schema": schema]] }
        let reference: JSON = ["$ref": .string("#/components/schemas/\(endpoint.answer.schema ?? "")")]
        let success: (key: String, value: JSON) =
            switch endpoint.answer {
            case .one: ("2XX", ["description": "Done.", "content": content(reference)])
            case .list: ("2XX", ["description": "A page.", "content": content(["type": "array", "items": reference])])
            case .nothing: ("204", ["description": "Done."])
            }
        return .object([success, ("4XX", error), ("5XX", error)])
    }
}

/// The schemas of the responses: the members that are always present, and their types.
enum OpenAPISchemas {
    static let all: [(key: String, value: JSON)] = [
        ("Error", object(["detail": "string"])),
        ("Root", object(["version": "string", "auth": "object", "user": "object?"])),
        ("Organization", object(organization)),
        ("Project", object(project)),
        ("Key", object(key)),
        ("Issue", object(issue)),
        (
            "IssueDetail",
            object(
                issue + [
                    "activity": "array", "tags": "array", "firstRelease": "object?", "stats": "object",
                    "thinEvents": "integer",
                ]
            )
        ),
        ("IssueChange", ["type": "object"]),
        ("Point", ["type": "array", "items": ["type": "integer"], "minItems": 2, "maxItems": 2]),
        (
            "Tag",
            object([
                "key": "string", "name": "string", "totalValues": "integer", "uniqueValues": "integer",
                "topValues": "array",
            ])
        ),
        (
            "TagValue",
            object([
                "key": "string", "name": "string", "value": "string", "count": "integer", "firstSeen": "date",
                "lastSeen": "date",
            ])
        ),
        ("Event", object(event)),
        (
            "EventDetail",
            object(
                event + [
                    "entries": "array", "contexts": "object", "context": "object", "packages": "object",
                    "errors": "array", "_meta": "object", "fingerprint": "array?", "fingerprints": "array",
                ]
            )
        ),
        ("Payload", ["type": "object"]),
        ("GroupingInfo", object(["issue": "string", "hash": "string", "rule": "string?", "variants": "object"])),
        (
            "GroupingPreview",
            object([
                "events": "integer", "issuesNow": "integer", "issuesThen": "integer", "isComplete": "boolean",
                "mergeCount": "integer", "splitCount": "integer", "merges": "array", "splits": "array",
            ])
        ),
        (
            "RegroupJob",
            object([
                "id": "string", "state": "string", "since": "date", "total": "integer", "processed": "integer",
                "moved": "integer", "user": "string?", "error": "string?", "dateCreated": "date",
            ])
        ),
        ("IssueHash", object(["id": "string", "count": "integer", "mergedFrom": "string?"])),
        ("SimilarIssue", object(["issue": "object", "score": "number"])),
        ("Filter", object(["id": "string", "active": "boolean"])),
        ("Stats", object(["start": "date", "end": "date", "intervals": "array", "groups": "array"])),
        (
            "ShortID",
            object([
                "organizationSlug": "string", "projectSlug": "string", "groupId": "string", "shortId": "string",
                "group": "object",
            ])
        ),
        (
            "EventLookup",
            object([
                "organizationSlug": "string", "projectSlug": "string", "groupId": "string?", "eventId": "string",
                "event": "object?",
            ])
        ),
    ]

    private static let organization: KeyValuePairs<String, String> = [
        "id": "string", "slug": "string", "name": "string", "dateCreated": "date", "isEarlyAdopter": "boolean",
        "require2FA": "boolean", "requireEmailVerification": "boolean", "features": "array",
    ]

    private static let project: KeyValuePairs<String, String> = [
        "id": "string", "slug": "string", "name": "string", "platform": "string?", "dateCreated": "date",
        "features": "array", "teams": "array", "team": "object?", "status": "string",
    ]

    private static let key: KeyValuePairs<String, String> = [
        "id": "string", "name": "string", "label": "string", "public": "string", "projectId": "integer",
        "isActive": "boolean", "dsn": "object", "dateCreated": "date",
    ]

    private static let issue: KeyValuePairs<String, String> = [
        "id": "string", "shortId": "string", "title": "string", "culprit": "string", "permalink": "string",
        "logger": "string?", "level": "string", "status": "string", "statusDetails": "object", "substatus": "string?",
        "platform": "string", "project": "object", "type": "string", "metadata": "object", "isUnhandled": "boolean",
        "count": "string", "userCount": "integer", "firstSeen": "date", "lastSeen": "date",
    ]

    private static let event: KeyValuePairs<String, String> = [
        "id": "string", "eventID": "string", "groupID": "string", "projectID": "string", "title": "string",
        "message": "string", "culprit": "string", "location": "string?", "user": "object?", "tags": "array",
        "platform": "string", "type": "string", "metadata": "object", "dateCreated": "date", "dateReceived": "date",
        "size": "integer", "dist": "string?",
    ]

    /// An object whose members are all required; `?` after a type allows null.
    private static func object(_ members: some Collection<(key: String, value: String)>) -> JSON {
        var properties: [(key: String, value: JSON)] = []
        for (name, type) in members {
            let isNullable = type.hasSuffix("?")
            let bare = isNullable ? String(type.dropLast()) : type
            var schema: [(key: String, value: JSON)] = []
            let word = JSON.string(bare == "date" ? "string" : bare)
            schema.append(("type", isNullable ? [word, "null"] : word))
            if bare == "date" { schema.append(("format", "date-time")) }
            properties.append((name, .object(schema)))
        }
        return [
            "type": "object", "properties": .object(properties),
            "required": .array(properties.map { .string($0.key) }),
        ]
    }

    private static func object(_ members: KeyValuePairs<String, String>) -> JSON {
        object(members.map { ($0.key, $0.value) })
    }
}

/// Concatenates two lists of members.
private func + (
    left: KeyValuePairs<String, String>,
    right: KeyValuePairs<String, String>
) -> [(key: String, value: String)] {
    left.map { ($0.key, $0.value) } + right.map { ($0.key, $0.value) }
}
