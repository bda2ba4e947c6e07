import WhorlProcessing

/// How much a request and its parts may hold; each bound has its unit in the name.
public struct IngestLimits: Sendable {
    /// The body as it arrives.
    public var bodyBytes = 20 << 20
    /// The body after inflating.
    public var inflatedBytes = 50 << 20
    /// The body after inflating while only the body itself names its sender.
    public var unknownSenderBytes = 4 << 20
    /// The bodies of all requests together, as received and inflated.
    public var memoryBytes = 96 << 20
    /// How long a body may take to arrive.
    public var bodyTimeout = Duration.seconds(30)
    /// How long the head of a request may take to arrive.
    public var headTimeout = Duration.seconds(10)
    /// Connections at once.
    public var connections = 5_000
    /// Connections at once from one address, trusted proxies excepted; of IPv6 a /64 counts as one.
    public var connectionsPerAddress = 1_000
    /// One event item, and the body of `/store/`.
    public var eventBytes = 1 << 20
    /// One attachment or user report; a larger one is dropped and the rest kept.
    public var attachmentBytes = 100 << 20
    /// Items of an envelope.
    public var items = 250
    /// Any item that is no file; a larger one is dropped and the rest kept.
    public var otherItemBytes = 1 << 20
    /// Parts of an event.
    public var fields = FieldLimits()
    /// Items of all projects per minute, over all collectors; nil for no limit.
    public var itemsPerMinute: Int?
    /// Items of each project per minute, over all collectors; nil for no limit.
    public var projectItemsPerMinute: Int?
    /// How many times its limit a sender may send before its requests are refused unseen.
    public var farFactor = 10
    /// Refused credentials of an address per minute before it is refused unseen.
    public var badCredentialsPerMinute = 100

    /// The defaults.
    public init() {}

    /// The bound of an item that is not an event.
    func bytes(of type: String) -> Int {
        switch type {
        case "attachment", "unreal_report", "replay_recording", "replay_video", "profile", "profile_chunk":
            attachmentBytes
        case "client_report", "check_in": 100 << 10
        default: otherItemBytes
        }
    }
}
