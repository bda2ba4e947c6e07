import HTTPTypes
import Hummingbird
import WhorlClient

/// Encodes a request in the format of the protocol, without credentials.
enum RequestDescription {
    /// Headers that contain credentials.
    private static let secret: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-csrf-token",
    ]

    static func json(_ request: Request) -> JSON {
        let host = request.head.authority ?? "localhost"
        var headers: [(key: String, value: JSON)] = []
        for field in request.headers.prefix(100) {
            let isSecret = secret.contains(field.name.canonicalName)
            headers.append((field.name.rawName, .string(isSecret ? "[Filtered]" : field.value)))
        }
        return [
            "method": .string(request.method.rawValue),
            "url": .string("\(request.head.scheme ?? "http")://\(host)\(request.uri.path)"),
            "query_string": .string(request.uri.query ?? ""), "headers": .object(headers),
        ]
    }
}
