import Foundation
import WhorlProtocol

/// The options of a client.
public struct Options: Sendable {
    /// The maximum number of events in the send queue; further events are dropped and counted.
    public var queueEvents = 100
    /// The timeout of one request.
    public var requestTimeout = Duration.seconds(10)
    /// The server name in events; the default is the host name of the machine.
    public var serverName: String? = ProcessInfo.processInfo.hostName
    /// The build of the release.
    public var dist: String?
    /// Whether events of errors include the call stack.
    public var attachesBacktrace = true
    /// A hook that receives each event before it is sent, and may change it or return nil to drop it.
    public var beforeSend: (@Sendable (JSON) -> JSON?)?
    /// The transport for requests; the default is ``URLSessionTransport``.
    public var transport: (any Transport)?

    /// Creates the default options.
    public init() {}
}
