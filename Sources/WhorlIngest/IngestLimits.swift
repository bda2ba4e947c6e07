import WhorlProcessing

/// The limits of requests and their parts; names of size limits contain the unit.
public struct IngestLimits: Sendable {
    /// The body as received.
    public var bodyBytes = 20 << 20
    /// The body after inflating.
    public var inflatedBytes = 50 << 20
    /// The body after inflating when the request head contains no key, so that the sender is not known yet.
    public var unknownSenderBytes = 4 << 20
    /// The bodies of all requests together, both received and inflated.
    public var memoryBytes = 96 << 20
    /// How long a body may take to arrive.
    public var bodyTimeout = Duration.seconds(30)
    /// How long the head of a request may take to arrive.
    public var headTimeout = Duration.seconds(10)
    /// Concurrent connections.
    public var connections = 5_000
    /// Concurrent connections from one address, except trusted proxies; an IPv6 /64 counts as one address.
    public var connectionsPerAddress = 1_000
    /// One event item, and the body of `/store/`.
    public var eventBytes = 1 << 20
    /// One attachment, crash report, replay or profile; a larger one is dropped and the other items are kept.
    public var attachmentBytes = 100 << 20
    /// Items per envelope.
    public var items = 250
    /// Any other item; a larger one is dropped and the other items are kept.
    public var otherItemBytes = 1 << 20
    /// The limits for the fields of an event.
    public var fields = FieldLimits()
    /// Items of all projects per minute, across all collectors; nil for no limit.
    public var itemsPerMinute: Int?
    /// Items of each project per minute, across all collectors; nil for no limit.
    public var projectItemsPerMinute: Int?
    /// The multiple of its limit that a sender may attempt before its requests are refused without being read.
    public var farFactor = 10
    /// Refused credentials per address and minute before requests without a known key are refused.
    public var badCredentialsPerMinute = 100

    /// The defaults.
    public init() {}

    /// The maximum size of an item that is not an event.
    func bytes(of type: String) -> Int {
        switch type {
        case "attachment", "unreal_report", "replay_recording", "replay_video", "profile", "profile_chunk":
            attachmentBytes
        case "client_report", "check_in": 100 << 10
        default: otherItemBytes
        }
    }
}
