import Foundation
import Runtime
import WhorlProtocol

/// Records the calls that are open, cheaply, and finds their names later.
///
/// Recording with a known list of images takes some microseconds; the list is read once, at the start. Names, files and
/// lines are looked up on a thread of its own with a large stack, since demangling a deeply nested name needs one.
final class BacktraceRecorder: Sendable {
    /// The one recorder of the process.
    ///
    /// Reading the list of images looks into memory that other threads may unmap at that moment, so it happens once, when
    /// the first client starts; the thread stays for the same reason.
    static let shared = BacktraceRecorder()

    private let images = ImageMap.capture()
    private let symbolicator = SymbolicatorThread()

    private init() {}

    /// Frames that are recorded at most.
    private static let maxFrames = 100

    /// The calls that lead here, without those of this module.
    func record() -> RecordedBacktrace? {
        guard let backtrace = try? Backtrace.capture(limit: Self.maxFrames, offset: 0, images: images) else {
            return nil
        }
        return RecordedBacktrace(backtrace: backtrace, images: images, thread: symbolicator)
    }
}

/// Calls that were recorded and have no names yet.
struct RecordedBacktrace: Sendable {
    fileprivate let backtrace: Backtrace
    fileprivate let images: ImageMap
    fileprivate let thread: SymbolicatorThread

    /// The frames in the protocol's form, the oldest call first.
    func frames() async -> [JSON] {
        await thread.run { [backtrace, images] in
            guard let symbolicated = backtrace.symbolicated(with: images) else { return [] }
            return symbolicated.frames.compactMap(FrameDescription.json).reversed()
        }
    }
}

/// One thread on which names are looked up, one backtrace after the other.
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

/// Work for a thread, in order.
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

/// A frame of a Swift program in the protocol's form.
private enum FrameDescription {
    /// Modules of the language and of this client: calls in them are not the application's.
    private static let foreignPaths = ["/.build/checkouts/", "/swift/lib/", "/usr/lib/", "/lib/"]

    static func json(_ frame: SymbolicatedBacktrace.Frame) -> JSON? {
        guard let symbol = frame.symbol else { return nil }
        if frame.isSwiftThunk { return nil }
        let name = symbol.name
        // What this client does to record is no part of the story.
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

    /// Without debug information a symbol of a library is taken to be foreign.
    private static func place(isUnknownFor symbol: SymbolicatedBacktrace.Symbol) -> Bool {
        symbol.imageName.hasPrefix("lib") || symbol.imageName.hasPrefix("ld-")
    }
}
