import Foundation
import WhorlProtocol

/// Builds an event in the format of the protocol.
struct EventBuilder {
    let id: EventID
    let moment: Date
    let level: Level
    let scope: Scope
    var release: String?
    var environment = "production"
    var serverName: String?
    var dist: String?
    var message: String?
    var exceptions: [JSON] = []

    var json: JSON {
        var members: [(key: String, value: JSON)] = [
            ("event_id", .string(id.hex)), ("timestamp", .string(Timestamp.format(moment))),
            ("platform", "native"), ("level", .string(level.rawValue)), ("environment", .string(environment)),
            ("sdk", ["name": .string(Client.sdkName), "version": .string(Client.sdkVersion)]),
            ("contexts", contexts),
        ]
        func add(_ key: String, _ text: String?) { if let text { members.append((key, .string(text))) } }
        add("release", release)
        add("dist", dist)
        add("server_name", serverName)
        add("transaction", scope.transaction)
        if let message { members.append(("logentry", ["formatted": .string(message)])) }
        if !exceptions.isEmpty { members.append(("exception", ["values": .array(exceptions)])) }
        if !scope.tags.isEmpty { members.append(("tags", .object(sorted(scope.tags.mapValues(JSON.string))))) }
        if !scope.extra.isEmpty { members.append(("extra", .object(sorted(scope.extra)))) }
        if let user = scope.user { members.append(("user", Self.json(user))) }
        if !scope.breadcrumbs.isEmpty {
            members.append(("breadcrumbs", ["values": .array(scope.breadcrumbs.map(Self.json))]))
        }
        if let fingerprint = scope.fingerprint {
            members.append(("fingerprint", .array(fingerprint.map(JSON.string))))
        }
        if let request = scope.request { members.append(("request", request)) }
        return .object(members)
    }

    private var contexts: JSON {
        var contexts: [String: JSON] = [
            "runtime": ["name": "Swift", "version": .string(Self.swiftVersion)],
            "os": ["name": .string(Self.systemName), "kernel_version": .string(Self.kernelVersion)],
        ]
        for (name, facts) in scope.contexts { contexts[name] = .object(sorted(facts)) }
        return .object(sorted(contexts))
    }

    private static func json(_ user: User) -> JSON {
        let members = [
            ("id", user.id), ("username", user.username), ("email", user.email), ("ip_address", user.ipAddress),
        ]
        return .object(members.compactMap { name, value in value.map { (key: name, value: .string($0)) } })
    }

    private static func json(_ breadcrumb: Breadcrumb) -> JSON {
        [
            "timestamp": .string(Timestamp.format(breadcrumb.timestamp)), "message": .string(breadcrumb.message),
            "category": .optional(breadcrumb.category), "level": .string(breadcrumb.level.rawValue),
            "data": .object(sorted(breadcrumb.data)),
        ]
    }

    #if compiler(>=6.3)
    private static let swiftVersion = "6.3"
    #else
    private static let swiftVersion = "6.2"
    #endif

    #if os(Linux)
    private static let systemName = "Linux"
    #else
    private static let systemName = "macOS"
    #endif

    private static let kernelVersion: String = {
        var names = utsname()
        uname(&names)
        return withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()
}

/// Returns the members sorted by name, so that equal events have equal JSON.
private func sorted(_ members: [String: JSON]) -> [(key: String, value: JSON)] {
    members.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
}
