import Foundation
import Glibc

/// The exclusive ownership of a spool directory: a file lock that the kernel releases however the process ends.
final class SpoolOwnership: Sendable {
    private let descriptor: Int32

    /// Locks the directory; throws ``SpoolError/owned(_:)`` when another process owns it.
    init(directory: String) throws {
        let path = directory + "/owner.lock"
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SpoolError.unusable("\(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(descriptor)
            throw SpoolError.owned(directory)
        }
    }

    deinit { Glibc.close(descriptor) }
}
