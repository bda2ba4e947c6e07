import CWhorlProcess
import Foundation
import Glibc
import WhorlPostgres

/// Runs a system program to its end, without a shell.
///
/// `Foundation.Process` is not suitable: it waits until a socket that every descendant inherits is closed, so it never
/// returns for a program that starts a server, as `pg_ctl` does. The program gets its own session, so that Ctrl-C in
/// the terminal does not reach the processes that it starts.
struct SystemCommand {
    let path: String
    let arguments: [String]
    /// A descriptor that the program and its descendants keep open, as number 3.
    var kept: Int32 = -1

    struct Outcome {
        /// The exit status, or -1 when a signal ended the program.
        let status: Int32
        /// The first 64 KiB of standard output and standard error.
        let output: String
    }

    /// Runs the program; its output goes to a file, because a server that the program starts would keep a pipe open.
    func run() async throws -> Outcome {
        var template = Array((NSTemporaryDirectory() + "whorl-command-XXXXXX").utf8CString)
        let output = mkstemp(&template)
        guard output >= 0 else { throw PostgresError(.other, "no temporary file could be created for \(path)") }
        defer { close(output) }
        unlink(template)
        let child = try spawn(output: output)
        let status = await withCheckedContinuation { (done: CheckedContinuation<Int32, Never>) in
            Thread.detachNewThread {
                var status: Int32 = 0
                while waitpid(child, &status, 0) < 0, errno == EINTR {}
                done.resume(returning: status & 0x7F == 0 ? (status >> 8) & 0xFF : -1)
            }
        }
        lseek(output, 0, SEEK_SET)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = max(0, read(output, &buffer, buffer.count))
        return Outcome(status: status, output: String(decoding: buffer[..<count], as: UTF8.self))
    }

    private func spawn(output: Int32) throws -> pid_t {
        var child: pid_t = 0
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let failure = whorl_spawn(&child, path, words, output, kept)
        guard failure == 0 else {
            throw PostgresError(.other, "\(path) could not be started: \(String(cString: strerror(failure)))")
        }
        return child
    }
}
