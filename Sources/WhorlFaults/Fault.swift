#if DEBUG
import Foundation
import Synchronization

/// Faults that tests inject; release builds do not contain them.
///
/// The variable `WHORL_FAULT` contains a comma-separated list: `crash:POINT:N` kills the process the N-th time that it
/// passes a point; `without:GUARD` disables a guard, to show that a test detects it.
package enum Fault {
    /// Points at which a crash would lose or duplicate events if the order of steps were wrong.
    package enum Point: String, CaseIterable, Sendable {
        /// The event is in the spool; its sender has no response yet.
        case afterSpoolWrite = "after_spool_write"
        /// The statement that stores a batch has not been sent.
        case beforeCommit = "before_commit"
        /// The batch is committed; no request has its response yet.
        case afterCommit = "after_commit"
        /// Events were replayed; the spool still has them.
        case beforeSpoolRemoval = "before_spool_removal"
    }

    /// A mechanism that ensures a guarantee, and that a test can disable.
    package enum Guard: String, CaseIterable, Sendable {
        /// Events are written to the spool before they are acknowledged.
        case spool
        /// An event id that is already stored is not stored again, on the next day or in the next batch.
        case duplicates
        /// A request is answered after the commit.
        case commitFirst = "commit_first"
    }

    private static let specification = ProcessInfo.processInfo.environment["WHORL_FAULT"]?.split(separator: ",") ?? []
    private static let crashes: [String: Int] = Dictionary(
        specification.compactMap { word in
            let parts = word.split(separator: ":")
            guard parts.count == 3, parts[0] == "crash", let count = Int(parts[2]) else { return nil }
            return (String(parts[1]), count)
        },
        uniquingKeysWith: { $1 }
    )
    private static let disabled = Set(
        specification.compactMap { $0.hasPrefix("without:") ? String($0.dropFirst(8)) : nil }
    )
    private static let passes = Mutex<[String: Int]>([:])

    /// Kills the process if the test requested it for this pass.
    package static func crashPoint(_ point: Point) {
        guard let wanted = crashes[point.rawValue] else { return }
        let pass = passes.withLock { passes in
            passes[point.rawValue, default: 0] += 1
            return passes[point.rawValue]
        }
        if pass == wanted { kill(getpid(), SIGKILL) }
    }

    /// Whether the guard is enabled; outside tests it always is.
    package static func isEnabled(_ name: Guard) -> Bool { !disabled.contains(name.rawValue) }
}
#endif
