import Foundation
import Synchronization
import WhorlProtocol

/// What events carry besides the error: tags, the user, contexts and breadcrumbs.
public struct Scope: Sendable {
    /// Breadcrumbs that a scope keeps; older ones go.
    public static let maxBreadcrumbs = 100

    /// Names and values by which events are found.
    public var tags: [String: String] = [:]
    /// Who is affected.
    public var user: User?
    /// Named groups of facts, such as `order`.
    public var contexts: [String: [String: JSON]] = [:]
    /// Loose facts.
    public var extra: [String: JSON] = [:]
    /// What happened before, oldest first.
    public private(set) var breadcrumbs: [Breadcrumb] = []
    /// The grouping to ask for; `{{ default }}` stands for the server's own.
    public var fingerprint: [String]?
    /// The unit of work, such as a route.
    public var transaction: String?
    /// The level of events in this scope, over their own.
    public var level: Level?
    /// The HTTP request that is being answered, in the protocol's form.
    package var request: JSON?

    /// Adds a breadcrumb; the oldest goes when there are too many.
    public mutating func add(_ breadcrumb: Breadcrumb) {
        if breadcrumbs.count >= Self.maxBreadcrumbs { breadcrumbs.removeFirst() }
        breadcrumbs.append(breadcrumb)
    }

    /// Removes all breadcrumbs.
    public mutating func clearBreadcrumbs() { breadcrumbs = [] }
}

/// Who is affected by an event.
public struct User: Sendable, Equatable {
    /// The application's id of the user.
    public var id: String?
    /// The login name.
    public var username: String?
    /// The mail address.
    public var email: String?
    /// The address; `{{auto}}` lets the server fill it in.
    public var ipAddress: String?

    /// A user by any of the members.
    public init(id: String? = nil, username: String? = nil, email: String? = nil, ipAddress: String? = nil) {
        self.id = id
        self.username = username
        self.email = email
        self.ipAddress = ipAddress
    }
}

/// Something that happened before an event.
public struct Breadcrumb: Sendable {
    /// When.
    public var timestamp = Date()
    /// What, in words.
    public var message: String
    /// What kind of thing, such as `query`.
    public var category: String?
    /// How serious.
    public var level: Level
    /// Facts.
    public var data: [String: JSON]

    /// A breadcrumb of now.
    public init(message: String, category: String? = nil, level: Level = .info, data: [String: JSON] = [:]) {
        self.message = message
        self.category = category
        self.level = level
        self.data = data
    }
}

/// The place where a scope is kept while tasks share it.
final class ScopeBox: Sendable {
    @TaskLocal static var taskLocal: ScopeBox?
    private static let global = ScopeBox(Scope())

    static var current: ScopeBox { taskLocal ?? global }

    private let state: Mutex<(scope: Scope, version: Int)>

    init(_ scope: Scope) { state = Mutex((scope, 0)) }

    var value: Scope { state.withLock { $0.scope } }

    /// Changes the scope.
    ///
    /// The caller's code runs outside of the lock, so that it may call us again; when somebody else changed the scope
    /// meanwhile, it runs anew on what they left.
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
