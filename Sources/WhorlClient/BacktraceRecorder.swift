import Foundation
import Runtime
import WhorlProtocol

/// Records the current call stack and symbolicates it later.
///
/// Recording with a known list of images takes a few microseconds. The list is read once, at the start.
/// Symbolication runs on a dedicated thread with a large stack, because demangling a deeply nested name needs one.
final class BacktraceRecorder: Sendable {
    /// The recorder of the process.
    ///
    /// Reading the list of images accesses memory that other threads may unmap at the same time.
    /// Therefore it happens once, when the first client starts, and the recorder and its thread are never replaced.
    static let shared = BacktraceRecorder()

    private let images = ImageMap.capture()
    private let symbolicator = SymbolicatorThread()

    private init() {}

    /// The maximum number of recorded frames.
    private static let maxFrames = 100

    /// Records the current call stack.
    func record() -> RecordedBacktrace? {
        guard let backtrace = try? Backtrace.capture(limit: Self.maxFrames, offset: 0, images: images) else {
            return nil
        }
        return RecordedBacktrace(backtrace: backtrace, images: images, thread: symbolicator)
    }
}

/// A recorded call stack that is not symbolicated yet.
struct RecordedBacktrace: Sendable {
    fileprivate let backtrace: Backtrace
    fileprivate let images: ImageMap
    fileprivate let thread: SymbolicatorThread

    /// The frames in the format of the protocol, the oldest call first.
    func frames() async -> [JSON] {
        await thread.run { [backtrace, images] in
            guard let symbolicated = backtrace.symbolicated(with: images) else { return [] }
            return symbolicated.frames.compactMap(FrameDescription.json).reversed()
        }
    }
}

/// A thread that symbolicates one backtrace at a time.
private final class SymbolicatorThread: Sendable {
    private let jobs = JobQueue()

    init() {
        let thread = Thread { [jobs] in
            while true { jobs.next()() }
        }
        thread.name = "whorl.symbolicate"
        thread.stackSize = 16 << 20
        thread.start()
    }

    func run(_ body: @escaping @Sendable () -> [JSON]) async -> [JSON] {
        await withCheckedContinuation { done in
            jobs.add { done.resume(returning: body()) }
        }
    }
}

/// A FIFO queue of jobs for a thread.
private final class JobQueue: @unchecked Sendable {
    // Guarded by `condition`.
    private var jobs: [@Sendable () -> Void] = []
    private let condition = NSCondition()

    func add(_ job: @escaping @Sendable () -> Void) {
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    func next() -> @Sendable () -> Void {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty { condition.wait() }
        return jobs.removeFirst()
    }
}

/// Encodes a frame of a Swift program in the format of the protocol.
private enum FrameDescription {
    /// Source paths of dependencies, of the Swift libraries and of the system: frames in them are not in-app.
    private static let foreignPaths = ["/.build/checkouts/", "/swift/lib/", "/usr/lib/", "/lib/"]

    static func json(_ frame: SymbolicatedBacktrace.Frame) -> JSON? {
        guard let symbol = frame.symbol else { return nil }
        if frame.isSwiftThunk { return nil }
        let name = symbol.name
        // Leave out frames of this client.
        if symbol.rawName.contains("11WhorlClient") { return nil }
        var members: [(key: String, value: JSON)] = [
            ("function", .string(name)), ("package", .string(symbol.imageName)),
        ]
        var isInApp = !frame.isSwiftRuntimeFailure && !frame.isSystem
        if let place = symbol.sourceLocation, !place.path.isEmpty, place.path != "<compiler-generated>" {
            let file = place.path.split(separator: "/").last.map(String.init) ?? place.path
            members.append(("abs_path", .string(place.path)))
            members.append(("filename", .string(file)))
            if place.line > 0 { members.append(("lineno", .int(place.line))) }
            if foreignPaths.contains(where: place.path.contains) { isInApp = false }
        } else if place(isUnknownFor: symbol) {
            isInApp = false
        }
        members.append(("in_app", .bool(isInApp)))
        return .object(members)
    }

    /// Whether a symbol without debug information belongs to a shared library, which does not count as in-app.
    private static func place(isUnknownFor symbol: SymbolicatedBacktrace.Symbol) -> Bool {
        symbol.imageName.hasPrefix("lib") || symbol.imageName.hasPrefix("ld-")
    }
}
