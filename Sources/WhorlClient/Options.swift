import Foundation
import WhorlProtocol

/// What a client does beyond its defaults.
public struct Options: Sendable {
    /// Events that wait to be sent; one more is dropped and counted.
    public var queueEvents = 100
    /// How long one request may take.
    public var requestTimeout = Duration.seconds(10)
    /// The host that events name; the machine's name unless set.
    public var serverName: String? = ProcessInfo.processInfo.hostName
    /// The build of the release.
    public var dist: String?
    /// Whether events carry the calls that lead to them.
    public var attachesBacktrace = true
    /// Looks at each event before it is sent, and may change it or return nil to drop it.
    public var beforeSend: (@Sendable (JSON) -> JSON?)?
    /// How requests are made; `URLSession` unless set.
    public var transport: (any Transport)?

    /// The defaults.
    public init() {}
}
