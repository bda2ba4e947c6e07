/// How much the parts of an event may hold; what is over is cut off and noted (sizes: protocol facts, section 4).
public struct FieldLimits: Sendable, Equatable {
    /// Bytes of a string as written.
    public var stringBytes = 8_192
    /// Containers inside one another, the event itself counted.
    public var depth = 24
    /// Members of an object.
    public var members = 1_000
    /// Elements of a list for which there is no bound of its own.
    public var elements = 1_000
    /// Frames of a stack; those at both ends are kept.
    public var frames = 250
    /// Exceptions of a chain; those at both ends are kept.
    public var exceptions = 50
    /// Breadcrumbs; the latest are kept.
    public var breadcrumbs = 100
    /// Tags; the first are kept.
    public var tags = 200

    /// The defaults.
    public init() {}
}
