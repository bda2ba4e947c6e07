import CWhorlDemangle
import Glibc
import WhorlThreads

/// The child process that reads names of Swift and C++, from the thread that owns it.
///
/// Why a child: `whorl_demangle.h`. It is started when the first name is asked for, and again after it failed.
final class DemanglerProcess {
    /// What came of one name.
    enum Result: Equatable {
        case readable(String)
        /// The name is none.
        case unreadable
        /// There is no child at this moment, so nothing is known of the name.
        case away
        /// The name took more time or memory than any name should.
        case overLimit
    }

    /// How long one name may take by the clock, on a machine that is busy with other work.
    private static let patienceMilliseconds: Int32 = 2_000
    /// How long to wait before a child that failed is started anew.
    private static let restartDelay = Duration.seconds(1)

    private let thread: ThreadExecutor
    private var child: (socket: Int32, process: pid_t)?
    private var mayStartAt = ContinuousClock.now

    init(thread: ThreadExecutor) { self.thread = thread }

    deinit { stop() }

    /// Reads one name; blocks until the child has answered.
    func read(_ name: MangledName) -> Result {
        thread.assertIsCurrent()
        guard let child = started() else { return .away }
        var output = [UInt8](repeating: 0, count: Int(WHORL_DEMANGLE_RESULT))
        // Mach-O puts one more underscore in front.
        let text = name.scheme == .cxx && name.text.hasPrefix("__Z") ? String(name.text.dropFirst()) : name.text
        let length = output.withUnsafeMutableBytes {
            whorl_demangle_name(
                child.socket,
                CChar(bitPattern: UInt8(ascii: name.scheme == .swift ? "s" : "c")),
                text,
                text.utf8.count,
                $0.baseAddress,
                Self.patienceMilliseconds
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
