import CWhorlProcess
import Foundation
import Glibc
import WhorlPostgres

/// Runs a program of the system to its end, without a shell.
///
/// Not `Foundation.Process`: that waits for a socket which every descendant inherits to close, so a program that leaves a
/// server behind, as `pg_ctl` does, would never end for it. The program gets a session of its own, so that Ctrl-C in our
/// terminal is not for what it leaves behind.
struct SystemCommand {
    let path: String
    let arguments: [String]
    /// A descriptor that the program and what it leaves behind keep open, as number 3.
    var kept: Int32 = -1

    struct Outcome {
        /// The exit status, or -1 when a signal ended the program.
        let status: Int32
        /// Standard output and standard error, at most 64 KiB of it.
        let output: String
    }

    /// The output goes through a file: a pipe would stay open in a server that the program leaves behind.
    func run() async throws -> Outcome {
        var template = Array((NSTemporaryDirectory() + "whorl-command-XXXXXX").utf8CString)
        let output = mkstemp(&template)
        guard output >= 0 else { throw PostgresError(.other, "no temporary file could be made for \(path)") }
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
