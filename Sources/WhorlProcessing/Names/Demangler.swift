import CWhorlDemangle
import Foundation
import Synchronization

/// Mangled names of Swift, C++ and Rust as people write them.
///
/// The demanglers are recursive, and names come from senders: names over 512 bytes stay as they are (one of 1.5 KB
/// overflows a stack of 512 KiB), the work happens on a thread with a stack of its own, and no result is longer than 4 KiB.
/// Results are remembered, bounded.
public enum Demangler {
    /// Longer names stay mangled.
    public static let maxName = 512
    /// Longer results are cut.
    public static let maxResult = 4_096
    private static let capacity = 20_000

    private static let known = Mutex<[String: String?]>([:])
    private static let worker = DemangleThread()

    /// The readable name; nil when it is not mangled, or too long.
    public static func demangled(_ name: String) -> String? {
        guard let scheme = Scheme(name), name.utf8.count <= maxName, !name.utf8.contains(0) else { return nil }
        if let result = known.withLock({ $0[name] }) { return result }
        let result: String?
        switch scheme {
        case .swift, .cxx: result = worker.run { scheme.demangle(name) }
        case .rust: result = RustMangling.demangled(name)
        }
        known.withLock { known in
            if known.count >= capacity { known.removeAll() }
            known[name] = result
        }
        return result
    }

    fileprivate enum Scheme {
        case swift
        case cxx
        case rust

        init?(_ name: String) {
            let utf8 = name.utf8
            if utf8.starts(with: "$s".utf8) || utf8.starts(with: "_$s".utf8) || utf8.starts(with: "$S".utf8)
                || utf8.starts(with: "_$S".utf8) || utf8.starts(with: "_T0".utf8)
            {
                self = .swift
            } else if utf8.starts(with: "_ZN".utf8), RustMangling.isLegacy(name) {
                self = .rust
            } else if utf8.starts(with: "_Z".utf8) || utf8.starts(with: "__Z".utf8) {
                self = .cxx
            } else if utf8.starts(with: "_R".utf8) {
                self = .rust
            } else {
                return nil
            }
        }

        func demangle(_ name: String) -> String? {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: maxResult) { output -> String? in
                let length =
                    switch self {
                    case .swift: whorl_demangle_swift(name, name.utf8.count, output.baseAddress, output.count)
                    case .cxx:
                        // Mach-O puts one more underscore in front.
                        whorl_demangle_cxx(
                            name.hasPrefix("__Z") ? String(name.dropFirst()) : name,
                            output.baseAddress,
                            output.count
                        )
                    case .rust: 0
                    }
                guard length > 0 else { return nil }
                let bytes = UnsafeRawBufferPointer(output).prefix(length)
                let text = String(decoding: bytes, as: UTF8.self)
                return text == name ? nil : text
            }
        }
    }
}

/// A thread with a stack large enough for any name that it is given; one name at a time.
private final class DemangleThread: Sendable {
    private static let stackBytes = 16 << 20

    private struct Job: @unchecked Sendable {
        var work: (() -> String?)?
        var result: String?
        var isDone = false
    }

    private let turn = NSLock()
    private let condition = NSCondition()
    private let job = Mutex(Job())

    init() {
        let thread = Thread { [weak self] in
            // As long as the process: it belongs to a constant of the program.
            while let self { self.serve() }
        }
        thread.stackSize = Self.stackBytes
        thread.name = "demangle"
        thread.start()
    }

    func run(_ work: @escaping @Sendable () -> String?) -> String? {
        turn.lock()
        defer { turn.unlock() }
        condition.lock()
        job.withLock { $0 = Job(work: work) }
        condition.broadcast()
        while !job.withLock(\.isDone) { condition.wait() }
        condition.unlock()
        return job.withLock(\.result)
    }

    private func serve() {
        condition.lock()
        var work: (() -> String?)?
        while work == nil {
            work = job.withLock { $0.isDone ? nil : $0.work }
            if work == nil { condition.wait() }
        }
        condition.unlock()
        let result = work?()
        condition.lock()
        job.withLock { job in
            job.work = nil
            job.result = result
            job.isDone = true
        }
        condition.broadcast()
        condition.unlock()
    }
}
