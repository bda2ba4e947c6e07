import Foundation
import Synchronization

@_exported import struct WhorlProtocol.DSN
@_exported import struct WhorlProtocol.EventID
@_exported import enum WhorlProtocol.JSON
@_exported import enum WhorlProtocol.Level

/// Reports errors of an application to Whorl, or to any other server that speaks Sentry's protocol.
///
///     Whorl.start(dsn: "https://KEY@errors.example.com/1", release: "shop@1.4.2", environment: "production")
///     do { try pay() } catch { Whorl.capture(error) }
///     await Whorl.flush(timeout: .seconds(2))
///
/// Nothing here throws or waits: an event is put into a bounded queue and sent in the background; when the queue is full
/// or the server asks for quiet, events are dropped and counted, and the counts are reported. Before ``start(dsn:release:environment:options:)``
/// every call does nothing.
public enum Whorl {
    private static let shared = Mutex<Client?>(nil)

    /// Begins to report.
    ///
    /// Returns whether there is a usable DSN; without one every other call does nothing.
    ///
    /// The DSN, the release and the environment come from the arguments, else from `WHORL_DSN`, `WHORL_RELEASE` and
    /// `WHORL_ENVIRONMENT`, else from the `SENTRY_` variables of those names. Starting again replaces the client.
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

    /// The client that reports, while there is one.
    package static var client: Client? { shared.withLock { $0 } }

    /// Reports an error with the calls that lead here.
    ///
    /// Returns the event's id; nil when nothing is sent.
    @discardableResult
    public static func capture(_ error: any Error, fileID: String = #fileID, line: Int = #line) -> EventID? {
        client?.capture(error, mechanism: Mechanism(type: "generic", isHandled: true), fileID: fileID, line: line)
    }

    /// Reports a message.
    ///
    /// Returns the event's id; nil when nothing is sent.
    @discardableResult
    public static func capture(
        message: String,
        level: Level = .info,
        fileID: String = #fileID,
        line: Int = #line
    ) -> EventID? {
        client?.capture(message: message, level: level, fileID: fileID, line: line)
    }

    /// Waits until everything that was captured has been sent or dropped.
    ///
    /// Returns false when the time ran out.
    @discardableResult
    public static func flush(timeout: Duration = .seconds(2)) async -> Bool {
        await client?.flush(timeout: timeout) ?? true
    }

    /// Changes what events of the current scope carry.
    public static func configureScope(_ change: (inout Scope) -> Void) {
        ScopeBox.current.change(change)
    }

    /// Notes something that happened, to be shown with a later event of this scope.
    public static func addBreadcrumb(
        _ message: String,
        category: String? = nil,
        level: Level = .info,
        data: [String: JSON] = [:]
    ) {
        let breadcrumb = Breadcrumb(message: message, category: category, level: level, data: data)
        ScopeBox.current.change { $0.add(breadcrumb) }
    }

    /// Runs the operation in a scope of its own: it begins as a copy, and what is changed in it ends with it.
    ///
    /// The scope follows Swift concurrency: tasks that the operation starts see it, unstructured ones too, detached ones
    /// not.
    public static func withScope<Value>(
        _ configure: (inout Scope) -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation,
        operation: () async throws -> Value
    ) async rethrows -> Value {
        try await ScopeBox.$taskLocal.withValue(ScopeBox.copy(configure)) {
            try await operation()
        }
    }

    /// Runs the operation in a scope of its own: it begins as a copy, and what is changed in it ends with it.
    public static func withScope<Value>(
        _ configure: (inout Scope) -> Void = { _ in },
        operation: () throws -> Value
    ) rethrows -> Value {
        try ScopeBox.$taskLocal.withValue(ScopeBox.copy(configure)) { try operation() }
    }
}

/// How an error came to be reported.
package struct Mechanism: Sendable {
    package let type: String
    package let isHandled: Bool

    package init(type: String, isHandled: Bool) {
        self.type = type
        self.isHandled = isHandled
    }
}
