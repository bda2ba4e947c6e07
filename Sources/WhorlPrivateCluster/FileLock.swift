import Foundation
import Glibc
import WhorlPostgres

/// An advisory lock on a file (`flock`), which the kernel releases however the process ends.
final class FileLock: @unchecked Sendable {
    enum Mode {
        case shared
        case exclusive
    }

    /// The file descriptor; a process that inherits it holds the lock too.
    let descriptor: Int32

    init(path: String) throws {
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw PostgresError(.other, "the lock file \(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
    }

    deinit { Glibc.close(descriptor) }

    /// Takes the lock unless another holder prevents it.
    func tryLock(_ mode: Mode) -> Bool {
        flock(descriptor, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0
    }

    /// Takes the lock; retries every 50 ms, because `flock` has no deadline.
    func lock(_ mode: Mode, deadline: ContinuousClock.Instant) async throws {
        while !tryLock(mode) {
            guard ContinuousClock.now < deadline else {
                throw PostgresError(.deadline, "another whorl holds the lock of the data directory")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func unlock() { flock(descriptor, LOCK_UN) }
}
