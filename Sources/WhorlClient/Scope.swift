import Foundation
import Synchronization
import WhorlProtocol

/// The data that is added to events: tags, the user, contexts and breadcrumbs.
public struct Scope: Sendable {
    /// The maximum number of breadcrumbs in a scope; the oldest is removed when there are more.
    public static let maxBreadcrumbs = 100

    /// The tags by name; events can be searched by their tags.
    public var tags: [String: String] = [:]
    /// The affected user.
    public var user: User?
    /// Named groups of structured data, such as `order`.
    public var contexts: [String: [String: JSON]] = [:]
    /// Additional data without a group.
    public var extra: [String: JSON] = [:]
    /// The breadcrumbs, oldest first.
    public private(set) var breadcrumbs: [Breadcrumb] = []
    /// The custom fingerprint for grouping; `{{ default }}` means the default grouping of the server.
    public var fingerprint: [String]?
    /// The name of the transaction, such as a route.
    public var transaction: String?
    /// The level of events in this scope, which overrides the level of the event.
    public var level: Level?
    /// The current HTTP request in the format of the protocol.
    package var request: JSON?

    /// Adds a breadcrumb; the oldest is removed when there are more than ``maxBreadcrumbs``.
    public mutating func add(_ breadcrumb: Breadcrumb) {
        if breadcrumbs.count >= Self.maxBreadcrumbs { breadcrumbs.removeFirst() }
        breadcrumbs.append(breadcrumb)
    }

    /// Removes all breadcrumbs.
    public mutating func clearBreadcrumbs() { breadcrumbs = [] }
}

/// The user that is affected by an event.
public struct User: Sendable, Equatable {
    /// The id of the user in the application.
    public var id: String?
    /// The login name.
    public var username: String?
    /// The email address.
    public var email: String?
    /// The IP address; with `{{auto}}` the server fills it in.
    public var ipAddress: String?

    /// Creates a user; all members are optional.
    public init(id: String? = nil, username: String? = nil, email: String? = nil, ipAddress: String? = nil) {
        self.id = id
        self.username = username
        self.email = email
        self.ipAddress = ipAddress
    }
}

/// A record of something that happened before an event.
public struct Breadcrumb: Sendable {
    /// The time.
    public var timestamp = Date()
    /// The description.
    public var message: String
    /// The category, such as `query`.
    public var category: String?
    /// The severity.
    public var level: Level
    /// Additional data.
    public var data: [String: JSON]

    /// Creates a breadcrumb with the current time.
    public init(message: String, category: String? = nil, level: Level = .info, data: [String: JSON] = [:]) {
        self.message = message
        self.category = category
        self.level = level
        self.data = data
    }
}

/// A reference to a scope that several tasks share.
final class ScopeBox: Sendable {
    @TaskLocal static var taskLocal: ScopeBox?
    private static let global = ScopeBox(Scope())

    static var current: ScopeBox { taskLocal ?? global }

    private let state: Mutex<(scope: Scope, version: Int)>

    init(_ scope: Scope) { state = Mutex((scope, 0)) }

    var value: Scope { state.withLock { $0.scope } }

    /// Changes the scope.
    ///
    /// `body` runs outside the lock, so that it may call this client again.
    /// When another task changes the scope at the same time, `body` runs again on the changed scope.
    func change(_ body: (inout Scope) -> Void) {
        while true {
            let (current, version) = state.withLock { $0 }
            var scope = current
            body(&scope)
            let changed = scope
            let isDone = state.withLock { state in
                guard state.version == version else { return false }
                state = (changed, version + 1)
                return true
            }
            if isDone { return }
        }
    }

    static func copy(_ configure: (inout Scope) -> Void) -> ScopeBox {
        var scope = current.value
        configure(&scope)
        return ScopeBox(scope)
    }
}
