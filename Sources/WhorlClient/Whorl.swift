import Foundation
import Synchronization

@_exported import struct WhorlProtocol.DSN
@_exported import struct WhorlProtocol.EventID
@_exported import enum WhorlProtocol.JSON
@_exported import enum WhorlProtocol.Level

/// Reports errors of an application to Whorl, or to any other server that supports the Sentry protocol.
///
///     Whorl.start(dsn: "https://KEY@errors.example.com/1", release: "shop@1.4.2", environment: "production")
///     do { try pay() } catch { Whorl.capture(error) }
///     await Whorl.flush(timeout: .seconds(2))
///
/// No call throws, and only ``flush(timeout:)`` waits: an event is added to a bounded queue and sent in the background.
/// When the queue is full or the server limits the rate, events are dropped and counted, and the counts are reported.
/// Before ``start(dsn:release:environment:options:)`` every call does nothing.
public enum Whorl {
    private static let shared = Mutex<Client?>(nil)

    /// Starts reporting.
    ///
    /// Returns whether there is a valid DSN; without one every other call does nothing.
    ///
    /// The DSN, the release and the environment come from the arguments, else from `WHORL_DSN`, `WHORL_RELEASE` and
    /// `WHORL_ENVIRONMENT`, else from `SENTRY_DSN`, `SENTRY_RELEASE` and `SENTRY_ENVIRONMENT`.
    /// A second call replaces the client.
    @discardableResult
    public static func start(
        dsn: String? = nil,
        release: String? = nil,
        environment: String? = nil,
        options: Options = Options()
    ) -> Bool {
        let variables = ProcessInfo.processInfo.environment
        func setting(_ argument: String?, _ name: String) -> String? {
            [argument, variables["WHORL_\(name)"], variables["SENTRY_\(name)"]].compactMap { $0 }.first { !$0.isEmpty }
        }
        guard let text = setting(dsn, "DSN"), let parsed = DSN(text) else {
            shared.withLock { $0 = nil }
            return false
        }
        let client = Client(
            dsn: parsed,
            release: setting(release, "RELEASE"),
            environment: setting(environment, "ENVIRONMENT") ?? "production",
            options: options
        )
        shared.withLock { $0 = client }
        return true
    }

    /// The current client; nil while reporting is not started.
    package static var client: Client? { shared.withLock { $0 } }

    /// Reports an error with the current call stack.
    ///
    /// Returns the event's id; nil when the event is not queued.
    @discardableResult
    public static func capture(_ error: any Error, fileID: String = #fileID, line: Int = #line) -> EventID? {
        client?.capture(error, mechanism: Mechanism(type: "generic", isHandled: true), fileID: fileID, line: line)
    }

    /// Reports a message.
    ///
    /// Returns the event's id; nil when the event is not queued.
    @discardableResult
    public static func capture(
        message: String,
        level: Level = .info,
        fileID: String = #fileID,
        line: Int = #line
    ) -> EventID? {
        client?.capture(message: message, level: level, fileID: fileID, line: line)
    }

    /// Waits until all captured events are sent or dropped.
    ///
    /// Returns false on a timeout.
    @discardableResult
    public static func flush(timeout: Duration = .seconds(2)) async -> Bool {
        await client?.flush(timeout: timeout) ?? true
    }

    /// Changes the current scope.
    public static func configureScope(_ change: (inout Scope) -> Void) {
        ScopeBox.current.change(change)
    }

    /// Adds a breadcrumb to the current scope, which later events of the scope include.
    public static func addBreadcrumb(
        _ message: String,
        category: String? = nil,
        level: Level = .info,
        data: [String: JSON] = [:]
    ) {
        let breadcrumb = Breadcrumb(message: message, category: category, level: level, data: data)
        ScopeBox.current.change { $0.add(breadcrumb) }
    }

    /// Runs the operation in its own scope, which is a copy of the current one and is discarded at the end.
    ///
    /// The scope is a task-local value: child tasks and unstructured tasks of the operation inherit it, detached tasks
    /// do not.
    public static func withScope<Value>(
        _ configure: (inout Scope) -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation,
        operation: () async throws -> Value
    ) async rethrows -> Value {
        try await ScopeBox.$taskLocal.withValue(ScopeBox.copy(configure)) {
            try await operation()
        }
    }

    /// Runs the operation in its own scope, which is a copy of the current one and is discarded at the end.
    public static func withScope<Value>(
        _ configure: (inout Scope) -> Void = { _ in },
        operation: () throws -> Value
    ) rethrows -> Value {
        try ScopeBox.$taskLocal.withValue(ScopeBox.copy(configure)) { try operation() }
    }
}

/// The mechanism that captured an error.
package struct Mechanism: Sendable {
    package let type: String
    package let isHandled: Bool

    package init(type: String, isHandled: Bool) {
        self.type = type
        self.isHandled = isHandled
    }
}
