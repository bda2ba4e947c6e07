import Foundation
import WhorlProtocol

/// A client for one DSN that converts errors to events and passes them to the ``Sender``.
package final class Client: Sendable {
    package static let sdkName = "whorl.swift"
    package static let sdkVersion = WhorlVersion.number

    private let release: String?
    private let environment: String
    private let options: Options
    private let sender: Sender
    private let backtraces: BacktraceRecorder?

    package init(dsn: DSN, release: String?, environment: String, options: Options) {
        self.release = release
        self.environment = environment
        self.options = options
        backtraces = options.attachesBacktrace ? .shared : nil
        sender = Sender(dsn: dsn, options: options)
    }

    package func flush(timeout: Duration) async -> Bool { await sender.flush(timeout: timeout) }

    @discardableResult
    package func capture(_ error: any Error, mechanism: Mechanism, fileID: String, line: Int) -> EventID? {
        submit(.error) { ErrorDescription.exception(error, mechanism, frames: $0, fileID: fileID, line: line) }
    }

    @discardableResult
    package func capture(message: String, level: Level, fileID: String, line: Int) -> EventID? {
        submit(level, message: message)
    }

    /// Captures the scope, the time and the call stack, and builds the event in the background.
    ///
    /// Only an exception needs the call stack.
    private func submit(
        _ level: Level,
        message: String? = nil,
        exception: (@Sendable ([JSON]) -> JSON)? = nil
    ) -> EventID? {
        let id = EventID.random()
        let scope = ScopeBox.current.value
        let moment = Date()
        let recorded = exception != nil ? backtraces?.record() : nil
        let accepted = sender.enqueue { [self] in
            let frames = await recorded?.frames() ?? []
            var event = EventBuilder(id: id, moment: moment, level: scope.level ?? level, scope: scope)
            event.release = release
            event.environment = environment
            event.serverName = options.serverName
            event.dist = options.dist
            event.message = message
            if let exception { event.exceptions = [exception(frames)] }
            let json = event.json
            guard let beforeSend = options.beforeSend else { return (id, json) }
            return beforeSend(json).map { (id, $0) }
        }
        return accepted ? id : nil
    }
}
