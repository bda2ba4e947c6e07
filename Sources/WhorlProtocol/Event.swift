import Foundation

/// A note about a value of an event that was changed or left out, for display with the event.
public struct EventNote: Sendable, Equatable {
    /// The path of the value in the event, such as `exception.values.0.value`.
    public let path: String
    /// The reason, one of a fixed set such as `invalid_data` or `value_too_long`.
    public let reason: String

    /// Creates a note for a path.
    public init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// An event as SDKs send it, with the different forms of each member converted to one.
///
/// Parsing never fails: a member of the wrong type counts as absent and adds a note.
/// Members that are only displayed (contexts, extra, modules, …) are not parsed; ``node`` gives access to them.
public struct Event: Sendable {
    /// The whole event.
    public let node: JSONNode
    /// The notes about values that were changed or left out.
    public var notes: [EventNote]

    /// The event id in the payload, if it is valid.
    public let eventID: EventID?
    /// The time of the event by the clock of the sender.
    public let timestamp: Date?
    /// The severity.
    public let level: Level?
    /// The type that the sender declares, such as `transaction` or `csp`.
    public let type: String?
    /// The platform name of Sentry, such as the programming language; `other` when unknown.
    public let platform: String
    /// The name of the logger.
    public let logger: String?
    /// The name of the transaction, such as a route.
    public let transaction: String?
    /// The culprit that the client sends (deprecated in SDKs).
    public let culprit: String?
    /// The host name of the server.
    public let serverName: String?
    /// The site name, which very old SDKs send.
    public let site: String?
    /// The version of the application.
    public let release: String?
    /// The build of that version.
    public let dist: String?
    /// The environment of the application, such as `production`.
    public let environment: String?
    /// The tags, in order, as sent.
    public let tags: [Tag]
    /// The affected user.
    public let user: EventUser?
    /// The log message.
    public let message: LogEntry?
    /// The chain of exceptions, the cause first and the outermost last.
    public let exceptions: [ExceptionValue]
    /// The threads.
    public let threads: [EventThread]
    /// A stack without an exception.
    public let stacktrace: Stacktrace?
    /// The custom fingerprint of the client.
    public let fingerprint: [String]?
    /// The grouping checksum of very old clients.
    public let checksum: String?
    /// The name of the SDK.
    public let sdkName: String?
    /// The demangled forms of the mangled names in the event.
    public var names = DemangledNames.none

    /// A tag as sent.
    public struct Tag: Sendable, Equatable {
        /// The name.
        public let key: String
        /// The value.
        public let value: String

        /// Creates a tag.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Parses an event from its JSON object.
    public init(_ node: JSONNode) {
        var reader = EventReader()
        self.node = node
        eventID = reader.text(node, "event_id").flatMap { EventID($0) }
        timestamp = reader.moment(node, "timestamp")
        level = reader.level(node)
        type = reader.text(node, "type")
        platform = reader.text(node, "platform") ?? "other"
        logger = reader.text(node, "logger")
        transaction = reader.text(node, "transaction")
        culprit = reader.text(node, "culprit")
        serverName = reader.text(node, "server_name")
        site = reader.text(node, "site")
        release = reader.text(node, "release")
        dist = reader.text(node, "dist")
        environment = reader.text(node, "environment")
        tags = reader.tags(node)
        user = reader.object(node, "user", alias: "sentry.interfaces.User").flatMap { EventUser($0, &reader) }
        message = reader.message(node)
        var exceptions = reader.exceptions(node)
        var stacktrace = reader.object(node, "stacktrace", alias: "sentry.interfaces.Stacktrace")
            .flatMap { Stacktrace($0, path: "stacktrace", &reader) }
        // Old SDKs send the only stack at the top level instead of in the exception.
        if let loose = stacktrace, exceptions.count == 1, exceptions[0].stacktrace == nil {
            exceptions[0].stacktrace = loose
            stacktrace = nil
        }
        self.exceptions = exceptions
        self.stacktrace = stacktrace
        threads = reader.values(node, "threads", alias: nil).enumerated()
            .compactMap { index, value in
                EventThread(value, path: "threads.values.\(index)", &reader)
            }
        fingerprint = reader.fingerprint(node)
        checksum = reader.text(node, "checksum")
        sdkName = node.member("sdk")?.member("name")?.string
        for key in ["contexts", "extra", "request", "modules", "sdk", "debug_meta"] as [StaticString] {
            reader.expectObject(node, key)
        }
        reader.expectList(node, "breadcrumbs")
        if node.document.wasRepaired { reader.note("", "invalid_utf8") }
        if node.document.hasNonFiniteNumbers { reader.note("", "non_finite_number") }
        notes = reader.notes
    }

    /// The breadcrumbs, oldest first, from a list or from `values`.
    public var breadcrumbs: [JSONNode] {
        var reader = EventReader()
        return reader.values(node, "breadcrumbs", alias: "sentry.interfaces.Breadcrumbs")
    }

    /// The HTTP request, from `request` or its old name.
    public var request: JSONNode? {
        (node.member("request") ?? node.member("sentry.interfaces.Http")).flatMap { $0.isObject ? $0 : nil }
    }

    /// The contexts, from `contexts` or the old name.
    public var contexts: JSONNode? {
        (node.member("contexts") ?? node.member("sentry.interfaces.Contexts")).flatMap { $0.isObject ? $0 : nil }
    }

    /// Whether an exception is marked as unhandled.
    public var isUnhandled: Bool { exceptions.contains { $0.mechanism?.handled == false } }
}

/// The log message of an event: the template, its parameters, and the formatted message.
public struct LogEntry: Sendable {
    /// The template, which is equal for every occurrence.
    public let message: String?
    /// The formatted message.
    public let formatted: String?
    /// The parameters, a list or an object.
    public let params: JSONNode?

    /// The message for display.
    public var shown: String? {
        if let formatted, !formatted.isEmpty { return formatted }
        return message
    }
}

/// The user that is affected by an event.
public struct EventUser: Sendable {
    /// The id of the user in the application.
    public let id: String?
    /// The login name.
    public let username: String?
    /// The email address.
    public let email: String?
    /// The IP address, which may be `{{auto}}`.
    public let ipAddress: String?
    /// The display name.
    public let name: String?
    /// The whole object.
    public let node: JSONNode

    init?(_ node: JSONNode, _ reader: inout EventReader) {
        self.node = node
        id = reader.text(node, "id", at: "user.id")
        username = reader.text(node, "username", at: "user.username")
        email = reader.text(node, "email", at: "user.email")
        ipAddress = reader.text(node, "ip_address", at: "user.ip_address")
        name = reader.text(node, "name", at: "user.name")
        var members = node.members
        if members.next() == nil { return nil }
    }

    /// The text that identifies the user: the id, else the login name, email address or IP address, with a type prefix.
    ///
    /// `address` is the IP address with `{{auto}}` resolved.
    public func identity(address: String?) -> String? {
        if let id, !id.isEmpty { return "id:\(id)" }
        if let username, !username.isEmpty { return "username:\(username)" }
        if let email, !email.isEmpty { return "email:\(email)" }
        if let address, !address.isEmpty { return "ip:\(address)" }
        return nil
    }
}
