/// One limit of the header `X-Sentry-Rate-Limits`: how long what may not be sent.
public struct RateLimit: Sendable, Equatable {
    /// Seconds for which the limit holds from now.
    public let seconds: Double
    /// The categories it is about; empty means all.
    public let categories: [String]
    /// Whom it is about: `organization`, `project` or `key`.
    public let scope: String
    /// Why, for people.
    public let reason: String?

    /// A limit of the given length and reach.
    public init(seconds: Double, categories: [String], scope: String, reason: String? = nil) {
        self.seconds = seconds
        self.categories = categories
        self.scope = scope
        self.reason = reason
    }

    /// Reads the header; parts that cannot be read are passed over.
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
