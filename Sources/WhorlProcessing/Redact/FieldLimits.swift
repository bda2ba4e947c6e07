/// The size limits of the parts of an event; larger parts are trimmed and noted (sizes: protocol facts, section 4).
public struct FieldLimits: Sendable, Equatable {
    /// The maximum length of a string in bytes, with escapes as written.
    public var stringBytes = 8_192
    /// The maximum nesting depth of containers, including the event itself.
    public var depth = 24
    /// The maximum number of members of an object.
    public var members = 1_000
    /// The maximum number of elements of a list without a specific limit.
    public var elements = 1_000
    /// The maximum number of frames of a stack; frames at both ends are kept.
    public var frames = 250
    /// The maximum number of exceptions of a chain; exceptions at both ends are kept.
    public var exceptions = 50
    /// The maximum number of breadcrumbs; the latest are kept.
    public var breadcrumbs = 100
    /// The maximum number of tags; the first are kept.
    public var tags = 200

    /// Creates the default limits.
    public init() {}
}
