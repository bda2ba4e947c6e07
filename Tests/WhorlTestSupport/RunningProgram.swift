import CWhorlProcess
import Foundation
import Glibc

/// A program that a test started, with its output read line by line.
package final class RunningProgram: @unchecked Sendable {
    package let processID: Int32
    private let name: String
    // Guarded by `condition`.
    private var lines: [String] = []
    private var isOutputDone = false
    private var status: Int32?
    private let condition = NSCondition()

    /// Starts a program with only the variables of `environment`, and the options of a sanitizer if there are any.
    package init(_ path: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        name = path.split(separator: "/").last.map(String.init) ?? path
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw TestFailure("no pipe") }
        var child: pid_t = 0
        // The sanitizer of the program reports to the same place as that of the test.
        let sanitizer = ProcessInfo.processInfo.environment.filter { $0.key == "TSAN_OPTIONS" }
        let assignments = environment.merging(sanitizer) { given, _ in given }.map { "\($0.key)=\($0.value)" }
        let words = (["/usr/bin/env", "-i"] + assignments + [path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let failure = whorl_spawn(&child, "/usr/bin/env", words, ends[1], -1)
        close(ends[1])
        guard failure == 0 else { throw TestFailure("\(path) did not start") }
        processID = child
        let output = ends[0]
        Thread.detachNewThread { [self] in read(output) }
        Thread.detachNewThread { [self] in reap() }
    }

    /// The whole output so far.
    package var output: String { locked { lines.joined(separator: "\n") } }

    /// Waits for a line that contains the text, and returns it.
    package func line(containing text: String, within seconds: Double = 60) async throws -> String {
        try await waiting(seconds, "a line with \"\(text)\"") { [self] in
            if let line = lines.first(where: { $0.contains(text) }) { return line }
            if isOutputDone, status != nil {
                throw TestFailure("\(name) ended without \"\(text)\":\n\(lines.joined(separator: "\n"))")
            }
            return nil
        }
    }

    /// Waits for the end of the program; returns its exit status, or 128 plus the number of the signal that ended it.
    @discardableResult
    package func exitStatus(within seconds: Double = 60) async throws -> Int32 {
        try await waiting(seconds, "the end of \(name)") { [self] in isOutputDone ? status : nil }
    }

    package func signal(_ number: Int32) { kill(processID, number) }

    /// Sends SIGTERM, and SIGKILL if the program is still running after 20 s.
    package func stop() async {
        signal(SIGTERM)
        if (try? await exitStatus(within: 20)) == nil { signal(SIGKILL) }
    }

    // MARK: - Threads

    private func waiting<Value: Sendable>(
        _ seconds: Double,
        _ what: String,
        _ look: @escaping @Sendable () throws -> Value?
    ) async throws -> Value {
        let deadline = Date().addingTimeInterval(seconds)
        return try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread { [self] in
                condition.lock()
                defer { condition.unlock() }
                do {
                    while true {
                        if let value = try look() {
                            done.resume(returning: value)
                            return
                        }
                        guard condition.wait(until: deadline) else {
                            throw TestFailure(
                                "no \(what) within \(seconds) s; output:\n\(lines.suffix(40).joined(separator: "\n"))"
                            )
                        }
                    }
                } catch {
                    done.resume(throwing: error)
                }
            }
        }
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }

    private func read(_ descriptor: Int32) {
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            rest += buffer[..<count]
            while let end = rest.firstIndex(of: 0x0A) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest.removeSubrange(...end)
                locked { lines.append(line) }
            }
            locked { condition.broadcast() }
        }
        close(descriptor)
        locked {
            if !rest.isEmpty { lines.append(String(decoding: rest, as: UTF8.self)) }
            isOutputDone = true
            condition.broadcast()
        }
    }

    private func reap() {
        var raw: Int32 = 0
        while waitpid(processID, &raw, 0) < 0, errno == EINTR {}
        locked {
            status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
            condition.broadcast()
        }
    }
}

/// A failure of the test support code, not of the code under test.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
