/// Which events a project does not want, although they arrive.
public struct FilterSettings: Sendable, Equatable, Codable {
    /// Events from the developer's own machine.
    public var localhost = false
    /// Events of browsers that nobody supports any more.
    public var legacyBrowsers = false
    /// Events of crawlers.
    public var webCrawlers = false
    /// Releases, as patterns with `*`.
    public var releases: [String] = []
    /// Messages and `type: value` of exceptions, as patterns with `*`.
    public var messages: [String] = []
    /// Types of exceptions, as patterns with `*`.
    public var errorTypes: [String] = []
    /// Addresses and networks of clients.
    public var addresses: [String] = []

    /// Nothing is filtered.
    public init() {}
}

/// Why an event was filtered, by Sentry's words.
public enum FilterReason: String, Sendable, CaseIterable {
    /// It comes from the developer's own machine.
    case localhost
    /// Its browser is one that nobody supports any more.
    case legacyBrowsers = "legacy-browsers"
    /// Its browser is a crawler.
    case webCrawlers = "web-crawlers"
    /// Its release is not wanted.
    case release = "release-version"
    /// Its message or exception is not wanted.
    case message = "error-message"
    /// The type of its exception is not wanted.
    case errorType = "error-type"
    /// Its sender's address is not wanted.
    case address = "ip-address"
}
