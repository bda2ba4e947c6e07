import Foundation
import Glibc

/// The one owner of a spool directory, by a lock that the kernel drops when the process dies, however it dies.
final class SpoolOwnership: Sendable {
    private let descriptor: Int32

    /// Takes the directory; throws ``SpoolError/owned(_:)`` when another process has it.
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
