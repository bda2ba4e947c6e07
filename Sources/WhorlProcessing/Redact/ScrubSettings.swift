/// What is taken out of an event before it is written anywhere.
public struct ScrubSettings: Sendable, Equatable, Codable {
    /// Whether anything is scrubbed at all.
    public var isOn = true
    /// Whether the usual words mark a value as sensitive: passwords, tokens, keys, cookies, card numbers.
    public var usesDefaults = true
    /// Further words; a key that contains one has its value replaced.
    public var sensitiveFields: [String] = []
    /// Keys whose value is kept whatever the other words say.
    public var safeFields: [String] = []
    /// Whether network addresses of users are removed.
    public var removesAddresses = false
    /// Whether mail addresses are removed.
    public var removesMailAddresses = false

    /// The defaults.
    public init() {}
}
