import CWhorlDemangle
import Glibc
import WhorlThreads

/// The child process that demangles names of Swift and C++; only the thread that owns it may use it.
///
/// `whorl_demangle.h` explains why this is a child process.
/// The child starts with the first name, and again after it has failed.
final class DemanglerProcess {
    /// The result for one name.
    enum Result: Equatable {
        case readable(String)
        /// The name is not a valid mangled name.
        case unreadable
        /// The child is not available, so there is no result for the name.
        case away
        /// The name exceeded the limits on CPU time or memory.
        case overLimit
    }

    /// The wall-clock timeout for one name, which allows for a machine under load.
    private static let timeoutMilliseconds: Int32 = 2_000
    /// The delay before a failed child is restarted.
    private static let restartDelay = Duration.seconds(1)

    private let thread: ThreadExecutor
    private var child: (socket: Int32, process: pid_t)?
    private var mayStartAt = ContinuousClock.now

    init(thread: ThreadExecutor) { self.thread = thread }

    deinit { stop() }

    /// Demangles one name; blocks until the child answers or the timeout expires.
    func read(_ name: MangledName) -> Result {
        thread.assertIsCurrent()
        guard let child = started() else { return .away }
        var output = [UInt8](repeating: 0, count: Int(WHORL_DEMANGLE_RESULT))
        // Mach-O adds a leading underscore.
        let text = name.scheme == .cxx && name.text.hasPrefix("__Z") ? String(name.text.dropFirst()) : name.text
        let length = output.withUnsafeMutableBytes {
            whorl_demangle_name(
                child.socket,
                CChar(bitPattern: UInt8(ascii: name.scheme == .swift ? "s" : "c")),
                text,
                text.utf8.count,
                $0.baseAddress,
                Self.timeoutMilliseconds
            )
        }
        switch length {
        case 1...:
            let result = String(decoding: output[..<Int(length)], as: UTF8.self)
            return result == name.text ? .unreadable : .readable(result)
        case -1: return .overLimit
        case 0: return .unreadable
        default:
            stop()
            mayStartAt = .now + Self.restartDelay
            return .away
        }
    }

    private func started() -> (socket: Int32, process: pid_t)? {
        if let child { return child }
        guard ContinuousClock.now >= mayStartAt else { return nil }
        var process: pid_t = 0
        let socket = whorl_demangle_start(&process)
        guard socket >= 0 else {
            mayStartAt = .now + Self.restartDelay
            return nil
        }
        child = (socket, process)
        return child
    }

    private func stop() {
        if let child { whorl_demangle_stop(child.socket, child.process) }
        child = nil
    }
}
