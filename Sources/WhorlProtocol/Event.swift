import Foundation

/// What was changed or left out of an event while it was read, for people who look at the event.
public struct EventNote: Sendable, Equatable {
    /// Where in the event, as `exception.values.0.value`.
    public let path: String
    /// What happened, by a fixed word such as `invalid_data` or `value_too_long`.
    public let reason: String

    /// A note on a place.
    public init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// An event as SDKs send it, with the many shapes of each member read into one.
///
/// Reading never fails: a member of the wrong type counts as absent and leaves a note. Members that are only shown
/// (contexts, extra, modules, …) stay where they are in the text and are reached through ``node``.
public struct Event: Sendable {
    /// The whole event.
    public let node: JSONNode
    /// What could not be taken as it was.
    public var notes: [EventNote]

    /// The identity in the payload, when it is well formed.
    public let eventID: EventID?
    /// When it happened, by the sender's clock.
    public let timestamp: Date?
    /// How serious it is.
    public let level: Level?
    /// The kind the sender names, such as `transaction` or `csp`.
    public let type: String?
    /// The language, by Sentry's word for it; `other` when unknown.
    public let platform: String
    /// The name of the logger.
    public let logger: String?
    /// The unit of work, such as a route.
    public let transaction: String?
    /// The place of the fault as the client names it (deprecated by SDKs).
    public let culprit: String?
    /// The host.
    public let serverName: String?
    /// The site, of antique SDKs.
    public let site: String?
    /// The version of the application.
    public let release: String?
    /// The build of that version.
    public let dist: String?
    /// Where the application runs, such as `production`.
    public let environment: String?
    /// Tags in order, as sent.
    public let tags: [Tag]
    /// Who was affected.
    public let user: EventUser?
    /// The log message.
    public let message: LogEntry?
    /// The chain of exceptions, the cause first and the outermost last.
    public let exceptions: [ExceptionValue]
    /// The threads.
    public let threads: [EventThread]
    /// A stack without an exception.
    public let stacktrace: Stacktrace?
    /// The grouping that the client asks for.
    public let fingerprint: [String]?
    /// The grouping that antique clients ask for.
    public let checksum: String?
    /// The SDK's name.
    public let sdkName: String?
    /// Readable forms of its mangled names, where they were read.
    public var names = ReadableNames.none

    /// A tag as sent.
    public struct Tag: Sendable, Equatable {
        /// The name.
        public let key: String
        /// The value.
        public let value: String

        /// A tag of a name and a value.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Reads an event from its JSON object.
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
        // Old SDKs put the only stack beside the exception instead of into it.
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

    /// The breadcrumbs, oldest first, whether they came as a list or in `values`.
    public var breadcrumbs: [JSONNode] {
        var reader = EventReader()
        return reader.values(node, "breadcrumbs", alias: "sentry.interfaces.Breadcrumbs")
    }

    /// The HTTP request, under either of its names.
    public var request: JSONNode? {
        (node.member("request") ?? node.member("sentry.interfaces.Http")).flatMap { $0.isObject ? $0 : nil }
    }

    /// The contexts, under either of their names.
    public var contexts: JSONNode? {
        (node.member("contexts") ?? node.member("sentry.interfaces.Contexts")).flatMap { $0.isObject ? $0 : nil }
    }

    /// Whether some exception says that nobody handled it.
    public var isUnhandled: Bool { exceptions.contains { $0.mechanism?.handled == false } }
}

/// The log message of an event: the template, its parameters, and what they make together.
public struct LogEntry: Sendable {
    /// The template, the same for every occurrence.
    public let message: String?
    /// The message with the parameters in it.
    public let formatted: String?
    /// The parameters, a list or an object.
    public let params: JSONNode?

    /// What people should see.
    public var shown: String? {
        if let formatted, !formatted.isEmpty { return formatted }
        return message
    }
}

/// Who was affected by an event.
public struct EventUser: Sendable {
    /// The application's id of the user.
    public let id: String?
    /// The login name.
    public let username: String?
    /// The mail address.
    public let email: String?
    /// The address, which may read `{{auto}}`.
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

    /// The member that tells users apart: id, else name, mail, address; prefixed by which one it is.
    ///
    /// `address` is the address to use where the user's reads `{{auto}}`.
    public func identity(address: String?) -> String? {
        if let id, !id.isEmpty { return "id:\(id)" }
        if let username, !username.isEmpty { return "username:\(username)" }
        if let email, !email.isEmpty { return "email:\(email)" }
        if let address, !address.isEmpty { return "ip:\(address)" }
        return nil
    }
}
