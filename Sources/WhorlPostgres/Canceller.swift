import CWhorlPostgres
import Foundation
import Synchronization

/// Sends cancel requests on a separate thread, because `PQcancel` blocks forever when the server is frozen.
///
/// The number of waiting requests is bounded. Further requests are dropped: the connection is closed anyway, and the
/// server's own `statement_timeout` ends the statement.
final class Canceller: Sendable {
    static let shared = Canceller()
    private let queue = DispatchQueue(label: "postgres.cancel")
    private let waiting = Mutex(0)
    private static let bound = 16

    private struct Request: @unchecked Sendable { let handle: OpaquePointer }

    func cancel(_ connection: OpaquePointer) {
        let isWithinBound = waiting.withLock { count in
            if count >= Self.bound { return false }
            count += 1
            return true
        }
        guard isWithinBound else { return }
        guard let handle = PQgetCancel(connection) else {
            waiting.withLock { $0 -= 1 }
            return
        }
        let request = Request(handle: handle)
        queue.async { [self] in
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(request.handle, &message, Int32(message.count))
            PQfreeCancel(request.handle)
            waiting.withLock { $0 -= 1 }
        }
    }
}
