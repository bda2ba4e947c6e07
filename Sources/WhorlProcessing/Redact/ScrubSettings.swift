/// The settings for scrubbing sensitive data from events before they are stored.
public struct ScrubSettings: Sendable, Equatable, Codable {
    /// Whether scrubbing is enabled.
    public var isOn = true
    /// Whether the default rules apply: passwords, tokens, keys, cookies, card numbers.
    public var usesDefaults = true
    /// Additional words; the value of a key that contains one of them is replaced.
    public var sensitiveFields: [String] = []
    /// Keys whose value is always kept.
    public var safeFields: [String] = []
    /// Whether IP addresses are removed.
    public var removesAddresses = false
    /// Whether email addresses are removed.
    public var removesMailAddresses = false

    /// Creates the default settings.
    public init() {}
}
