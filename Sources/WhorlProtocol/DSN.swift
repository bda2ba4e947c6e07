/// A DSN, which contains the server, the project and the key of an application.
///
/// Its form is `scheme://key@host[:port]/[prefix/]project`.
public struct DSN: Hashable, Sendable, CustomStringConvertible {
    /// `http` or `https`.
    public let scheme: String
    /// The public key.
    public let publicKey: String
    /// The host, including the brackets of an IPv6 address.
    public let host: String
    /// The port, or the default port of the scheme.
    public let port: Int
    /// The path before the project, without leading and trailing slashes; usually empty.
    public let pathPrefix: String
    /// The id of the project, which is opaque to clients.
    public let projectID: String

    /// Parses a DSN; returns nil when a part is missing or malformed.
    ///
    /// A secret after the key is accepted and ignored.
    public init?(_ text: String) {
        guard let schemeEnd = text.firstRange(of: "://") else { return nil }
        scheme = text[..<schemeEnd.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        var rest = text[schemeEnd.upperBound...]
        rest = rest.prefix { $0 != "?" && $0 != "#" }
        guard let at = rest.lastIndex(of: "@"), let slash = rest[at...].firstIndex(of: "/") else { return nil }
        publicKey = String(rest[..<at].prefix { $0 != ":" })
        guard !publicKey.isEmpty, publicKey.utf8.allSatisfy({ isKeyByte($0) }) else { return nil }
        let authority = rest[rest.index(after: at)..<slash]
        if let colon = authority.lastIndex(of: ":"), authority.last != "]" {
            host = String(authority[..<colon])
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                return nil
            }
            port = number
        } else {
            host = String(authority)
            port = scheme == "https" ? 443 : 80
        }
        guard Self.isHost(host) else { return nil }
        var segments = rest[slash...].split(separator: "/")
        guard let last = segments.popLast() else { return nil }
        projectID = String(last)
        pathPrefix = segments.joined(separator: "/")
    }

    /// Whether the text is a host name, an IPv4 address, or an IPv6 address in brackets.
    private static func isHost(_ text: String) -> Bool {
        guard text.hasPrefix("[") else {
            return !text.isEmpty && !text.contains { $0.isWhitespace || "[]:@".contains($0) }
        }
        return text.hasSuffix("]") && text.count > 2
            && text.dropFirst().dropLast().allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." || $0 == "%" }
    }

    /// The URL of the envelope endpoint.
    public var envelopeURL: String {
        "\(base)api/\(projectID)/envelope/"
    }

    /// The DSN as text, without the secret.
    public var description: String {
        let prefix = pathPrefix.isEmpty ? "" : pathPrefix + "/"
        return "\(scheme)://\(publicKey)@\(authority)/\(prefix)\(projectID)"
    }

    private var base: String { "\(scheme)://\(authority)/" + (pathPrefix.isEmpty ? "" : pathPrefix + "/") }

    private var authority: String {
        port == (scheme == "https" ? 443 : 80) ? host : "\(host):\(port)"
    }
}

private func isKeyByte(_ byte: UInt8) -> Bool {
    hexValue(byte) != nil || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
}
