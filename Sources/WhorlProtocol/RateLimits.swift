/// A rate limit in the header `X-Sentry-Rate-Limits`.
public struct RateLimit: Sendable, Equatable {
    /// The duration of the limit in seconds from now.
    public let seconds: Double
    /// The categories that are limited; empty means all.
    public let categories: [String]
    /// The scope of the limit: `organization`, `project` or `key`.
    public let scope: String
    /// The reason for the limit.
    public let reason: String?

    /// Creates a limit.
    public init(seconds: Double, categories: [String], scope: String, reason: String? = nil) {
        self.seconds = seconds
        self.categories = categories
        self.scope = scope
        self.reason = reason
    }

    /// Parses the header; malformed parts are ignored.
    public static func parse(_ header: String) -> [RateLimit] {
        header.split(separator: ",").prefix(64)
            .compactMap { part in
                let fields = part.split(separator: ":", omittingEmptySubsequences: false)
                    .map { $0.filter { $0 != " " && $0 != "\t" } }
                guard let first = fields.first, let seconds = Double(first), seconds >= 0, seconds.isFinite else {
                    return nil
                }
                return RateLimit(
                    seconds: seconds,
                    categories: fields.count > 1 ? fields[1].split(separator: ";").map(String.init) : [],
                    scope: fields.count > 2 ? fields[2] : "",
                    reason: fields.count > 3 && !fields[3].isEmpty ? fields[3] : nil
                )
            }
    }
}
