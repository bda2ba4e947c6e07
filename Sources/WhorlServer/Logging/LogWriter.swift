import Foundation
import Glibc
import Synchronization
import WhorlTelemetry

/// Writes log lines to standard error from a dedicated thread, so that no request waits for a full disk, a slow
/// terminal or a pipe without a reader.
///
/// Write errors are ignored, because there is no better place to report them. Lines that exceed the limit of the queue
/// are dropped and counted.
final class LogWriter: @unchecked Sendable {
    /// The writer of this process.
    static let standardError = LogWriter(descriptor: 2)

    /// Maximum bytes in the queue.
    private static let maxBytes = 4 << 20
    /// Maximum bytes of one line; the rest is cut off.
    private static let maxLine = 64 << 10

    private let descriptor: Int32
    private let condition = NSCondition()
    // Guarded by `condition`.
    private var waiting: [[UInt8]] = []
    private var waitingBytes = 0
    private var isWriting = false
    private var isStarted = false
    /// Lines that were not written.
    let dropped = Counter()

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Queues a line and returns immediately.
    func write(_ line: String) {
        var bytes = Array(line.utf8.prefix(Self.maxLine))
        bytes.append(0x0A)
        condition.lock()
        defer { condition.unlock() }
        guard waitingBytes + bytes.count <= Self.maxBytes else {
            dropped.increment()
            return
        }
        waiting.append(bytes)
        waitingBytes += bytes.count
        if !isStarted {
            isStarted = true
            // The thread runs as long as the process.
            Thread.detachNewThread { [self] in run() }
        }
        condition.signal()
    }

    /// Waits until everything is written, at most `limit` seconds; used before the process ends.
    func flush(within limit: TimeInterval) {
        let deadline = Date().addingTimeInterval(limit)
        condition.lock()
        while !waiting.isEmpty || isWriting, condition.wait(until: deadline) {}
        condition.unlock()
    }

    private func run() {
        while true {
            condition.lock()
            isWriting = false
            condition.broadcast()
            while waiting.isEmpty { condition.wait() }
            let lines = waiting
            waiting = []
            waitingBytes = 0
            isWriting = true
            condition.unlock()
            for line in lines where !write(line) { dropped.increment() }
        }
    }

    /// Writes all bytes; false if that is impossible.
    ///
    /// Blocks as long as the reader does not read.
    private func write(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wait, 1, 1_000)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
