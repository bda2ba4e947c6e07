import Foundation

/// The credentials of a request: the public key, and the name of the SDK.
public struct Credentials: Sendable, Equatable {
    /// The public key, without the flags after the first `.`.
    public let publicKey: String
    /// The name and version of the SDK, if the request contains them.
    public let client: String?

    /// The reason why credentials are rejected.
    public enum Failure: Error, Sendable, Equatable {
        /// The request contains no key.
        case missing
        /// A header is present, but malformed.
        case malformed
        /// The request contains different keys.
        case contradictory
        /// The protocol version is above 7.
        case unsupportedVersion
        /// The key is not 32 lower-case hexadecimal digits.
        case badKey
    }

    /// Reads the credentials from all parts of a request.
    ///
    /// `sentryAuth` is the header `X-Sentry-Auth`.
    /// `authorization` is the header `Authorization` (`Sentry` or `Basic`; other schemes are ignored).
    /// `query` returns a query parameter. `pathKey` is the key in the path of routes that have one.
    /// `envelopeDSN` is the DSN in the envelope header, which is used only if no other part contains a key.
    public init(
        sentryAuth: String?,
        authorization: String?,
        query: (String) -> String?,
        pathKey: String? = nil,
        envelopeDSN: DSN? = nil
    ) throws(Failure) {
        var found: [(key: String, client: String?)] = []
        for header in [sentryAuth, authorization].compactMap({ $0 }) {
            if let fields = try Self.fields(of: header) {
                guard let key = fields["sentry_key"] else { throw .malformed }
                if let version = fields["sentry_version"] { try Self.check(version: version) }
                found.append((key, fields["sentry_client"]))
            } else if let key = Self.basicUser(of: header) {
                found.append((key, nil))
            }
        }
        if let key = query("sentry_key") {
            if let version = query("sentry_version") { try Self.check(version: version) }
            found.append((key, query("sentry_client")))
        }
        if let pathKey { found.append((pathKey, nil)) }
        if found.isEmpty, let dsn = envelopeDSN { found.append((dsn.publicKey, nil)) }
        guard let first = found.first else { throw .missing }
        let key = Self.withoutFlags(first.key)
        guard found.allSatisfy({ Self.withoutFlags($0.key) == key }) else { throw .contradictory }
        guard Self.isPublicKey(key) else { throw .badKey }
        publicKey = key
        client = found.lazy.compactMap(\.client).first
    }

    /// Whether the text has the form of a public key: 32 lower-case hexadecimal digits.
    public static func isPublicKey(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }

    private static func withoutFlags(_ key: String) -> String { String(key.prefix { $0 != "." }) }

    private static func check(version text: String) throws(Failure) {
        guard let version = Double(trimmed(text)) else { throw .malformed }
        guard version <= 7 else { throw .unsupportedVersion }
    }

    /// The `k=v` pairs after `Sentry`, in any order; nil for another scheme.
    private static func fields(of header: String) throws(Failure) -> [String: String]? {
        let header = trimmed(header)
        let start = header.prefix(7).lowercased()
        guard start == "sentry " || start == "sentry" else {
            // raven-js and a few other clients omit the scheme.
            return start == "sentry_" ? try pairs(of: header[...]) : nil
        }
        return try pairs(of: header.dropFirst(7))
    }

    private static func pairs(of text: Substring) throws(Failure) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in text.split(separator: ",").prefix(32) {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard let name = parts.first else { continue }
            fields[trimmed(name).lowercased()] = parts.count > 1 ? trimmed(parts[1], of: [0x20, 0x09, 0x22]) : ""
        }
        return fields
    }

    /// The text without leading and trailing `bytes`, by default spaces and tabs.
    private static func trimmed(_ text: some StringProtocol, of bytes: [UInt8] = [0x20, 0x09]) -> String {
        var rest = Substring(text).utf8
        while let first = rest.first, bytes.contains(first) { rest = rest.dropFirst() }
        while let last = rest.last, bytes.contains(last) { rest = rest.dropLast() }
        return String(Substring(rest))
    }

    private static func basicUser(of header: String) -> String? {
        guard header.prefix(6).lowercased() == "basic " else { return nil }
        let encoded = trimmed(header.dropFirst(6))
        guard encoded.utf8.count <= 512, let data = Data(base64Encoded: encoded) else { return nil }
        return String(decoding: data, as: UTF8.self).split(separator: ":", maxSplits: 1).first.map(String.init)
    }
}
