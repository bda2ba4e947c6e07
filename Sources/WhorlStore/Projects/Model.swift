import Foundation

/// A group of projects and people.
package struct Organization: Sendable {
    package let id: Int
    package let slug: String
    package let name: String
    package let createdAt: Date
}

/// An application, or a part of one, to which events are sent.
package struct Project: Sendable {
    package let id: Int
    package let slug: String
    package let name: String
    package let platform: String?
    package let createdAt: Date
    package let organizationID: Int
    package let organizationSlug: String
}

/// A public key under which a project accepts events.
package struct ProjectKey: Sendable {
    package let id: Int
    package let projectID: Int
    package let publicKey: String
    package let label: String
    package let isActive: Bool
    package let createdAt: Date
    /// The rate limit of the key; nil when it has no limit of its own.
    package let limit: CountLimit?
}

/// The permissions of a bearer token.
package struct TokenGrant: Sendable {
    package let id: Int
    /// Nil for a token of the whole installation.
    package let organizationID: Int?
    package let scopes: Set<String>

    /// Sentry's names of the supported scopes.
    package static let allScopes = [
        "org:read", "org:write", "org:admin", "project:read", "project:write", "project:admin", "project:releases",
        "team:read", "team:write", "team:admin", "event:read", "event:write", "event:admin", "member:read",
        "member:write", "member:admin",
    ]

    /// The scopes of a token for which none are specified: read access.
    package static let leastScopes = ["event:read", "project:read", "org:read"]

    /// Whether the token has the scope, or a stronger one of the same kind.
    package func allows(_ scope: String) -> Bool {
        if scopes.contains(scope) { return true }
        let kind = scope.prefix { $0 != ":" }
        switch scope.dropFirst(kind.count + 1) {
        case "read": return scopes.contains("\(kind):write") || scopes.contains("\(kind):admin")
        case "write": return scopes.contains("\(kind):admin")
        default: return false
        }
    }
}

/// The reason why an administrative request was rejected, as a message for the user.
package enum AdministrationError: Error, Sendable, Equatable, CustomStringConvertible {
    case invalid(String)
    case conflict(String)
    case notFound(String)

    package var description: String {
        switch self {
        case .invalid(let text), .conflict(let text), .notFound(let text): text
        }
    }
}

/// The syntax of slugs, which are used as metric labels and in URLs.
package enum Slug {
    package static func isValid(_ text: String) -> Bool {
        (1...50).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: "_")
            }
            && text.first != "-" && text.last != "-"
            // A slug of digits only would be read as an id.
            && !text.allSatisfy(\.isNumber)
    }

    /// Derives a slug from a name: letters and digits in lower case, hyphens for the rest.
    package static func derived(from name: String) -> String {
        let mapped = name.lowercased().unicodeScalars
            .map { scalar -> Character in
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                    ? Character(scalar) : "-"
            }
        return String(String(mapped).split(separator: "-").joined(separator: "-").prefix(50))
    }
}
