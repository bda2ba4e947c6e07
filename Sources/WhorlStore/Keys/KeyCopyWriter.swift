import Foundation
import Logging

/// Writes the copy of the keys on a thread of its own.
///
/// Nothing waits for it: a disk that hangs neither keeps a disabled key active nor delays a stop. Only the newest keys are
/// written when several changes come while one write runs.
final class KeyCopyWriter: @unchecked Sendable {
    private let copy: KeyCopy
    private let logger: Logger
    private let condition = NSCondition()
    // Guarded by `condition`.
    private var next: [String: KeyInfo]?
    private var isStopping = false

    init(copy: KeyCopy, logger: Logger) {
        self.copy = copy
        self.logger = logger
        Thread.detachNewThread { [self] in run() }
    }

    /// Writes these keys soon.
    func write(_ keys: [String: KeyInfo]) {
        condition.lock()
        next = keys
        condition.signal()
        condition.unlock()
    }

    /// Ends the thread after the write in progress.
    func stop() {
        condition.lock()
        isStopping = true
        condition.signal()
        condition.unlock()
    }

    private func run() {
        while true {
            condition.lock()
            while next == nil, !isStopping { condition.wait() }
            let keys = next
            next = nil
            condition.unlock()
            guard let keys else { return }
            do {
                try copy.save(keys)
            } catch {
                logger.warning("keys not copied to the data directory", metadata: ["error": "\(error)"])
            }
        }
    }
}
