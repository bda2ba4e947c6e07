import Foundation

/// Replaces `Synchronization.Mutex` in builds for ThreadSanitizer.
///
/// ThreadSanitizer does not recognise the standard library's futexes on Linux, and reports accesses that they order as
/// races. It recognises POSIX mutexes. `.ci/test-tsan` adds this file to each target of a copy of the package, where
/// this declaration takes precedence over the imported one.
final class Mutex<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
