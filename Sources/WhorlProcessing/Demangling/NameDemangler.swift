import Foundation
import Synchronization
import WhorlProtocol
import WhorlThreads

/// Demangles the names of events in a child process, which a dedicated thread controls.
///
/// At most ``maxNames`` names of an event are demangled.
/// After a name that exceeds its limits, the remaining names of the event stay mangled.
/// Requests wait in order of arrival. When ``maxWaiting`` requests wait, a further request gets only cached names.
/// Results are cached.
public actor NameDemangler {
    /// The reader of this process.
    public static let shared = NameDemangler()

    /// The maximum number of demangled names of one event.
    public static let maxNames = 500
    /// The maximum number of waiting events.
    private static let maxWaiting = 256
    /// The maximum total time for the names of one event.
    private static let eventTime = Duration.milliseconds(50)
    private static let cacheBytes = 8 << 20

    private nonisolated let executor = ThreadExecutor(name: "names")
    /// The executor of the demangling thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let process: DemanglerProcess
    private nonisolated let waiting = Mutex(0)
    private nonisolated let cache = Mutex(NameCache(maxBytes: cacheBytes))
    private var costly = DemanglingBudget()

    init() { process = DemanglerProcess(thread: executor) }

    deinit { executor.stop() }

    /// The demangled names of an event; returns without waiting when all are cached, or none is mangled.
    public nonisolated func names(of event: Event, projectID: Int) async -> DemangledNames {
        let mangled = event.mangledNames(limit: Self.maxNames)
        return mangled.isEmpty ? .none : await names(mangled, projectID: projectID)
    }

    /// The demangled forms of names.
    nonisolated func names(_ mangled: [String], projectID: Int) async -> DemangledNames {
        var found: [String: String] = [:]
        var unknown: [MangledName] = []
        cache.withLock { cache in
            for text in mangled {
                if let result = cache.result(for: text) {
                    found[text] = result
                } else if let name = MangledName(text) {
                    unknown.append(name)
                }
            }
        }
        guard !unknown.isEmpty, enter() else { return DemangledNames(found) }
        for (name, readable) in await read(unknown, projectID: projectID) { found[name] = readable }
        waiting.withLock { $0 -= 1 }
        return DemangledNames(found)
    }

    private nonisolated func enter() -> Bool {
        waiting.withLock { count in
            guard count < Self.maxWaiting else { return false }
            count += 1
            return true
        }
    }

    private func read(_ names: [MangledName], projectID: Int) -> [(String, String)] {
        let minute = Int(Date().timeIntervalSince1970 / 60)
        var results: [(String, String)] = []
        let start = ContinuousClock.now
        defer { costly.add(start.duration(to: .now), projectID, minute: minute) }
        for name in names {
            guard start.duration(to: .now) < Self.eventTime else { break }
            // Another event may have added the name to the cache.
            if let known = cache.withLock({ $0.result(for: name.text) }) {
                if let known { results.append((name.text, known)) }
                continue
            }
            var readable: String?
            if name.scheme == .rust {
                readable = RustMangling.demangled(name.text)
            } else {
                guard costly.allows(projectID, minute: minute) else { break }
                switch process.read(name) {
                case .readable(let text): readable = text
                case .unreadable: break
                // Nothing is cached, because the child may be available for the next event.
                case .away: return results
                case .overLimit:
                    cache.withLock { $0.add(name.text, nil) }
                    return results
                }
            }
            cache.withLock { $0.add(name.text, readable) }
            if let readable { results.append((name.text, readable)) }
        }
        return results
    }
}
