/// The inbound filter settings of a project, which select the events to discard.
public struct FilterSettings: Sendable, Equatable, Codable {
    /// Whether events from localhost are discarded.
    public var localhost = false
    /// Whether events of obsolete browsers are discarded.
    public var legacyBrowsers = false
    /// Whether events of crawlers are discarded.
    public var webCrawlers = false
    /// Patterns with `*` for releases.
    public var releases: [String] = []
    /// Patterns with `*` for messages and for `type: value` of exceptions.
    public var messages: [String] = []
    /// Patterns with `*` for types of exceptions.
    public var errorTypes: [String] = []
    /// Addresses and networks of clients.
    public var addresses: [String] = []

    /// Creates settings that filter nothing.
    public init() {}
}

/// The reason why an event was filtered, named as in Sentry.
public enum FilterReason: String, Sendable, CaseIterable {
    /// The event comes from localhost.
    case localhost
    /// The browser is obsolete.
    case legacyBrowsers = "legacy-browsers"
    /// The browser is a crawler.
    case webCrawlers = "web-crawlers"
    /// The release is filtered.
    case release = "release-version"
    /// The message or the exception is filtered.
    case message = "error-message"
    /// The type of the exception is filtered.
    case errorType = "error-type"
    /// The address of the sender is filtered.
    case address = "ip-address"
}
