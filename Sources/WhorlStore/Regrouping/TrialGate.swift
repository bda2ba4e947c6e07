import Synchronization

/// Limits concurrent trials to one per project and two in total, since each of them reads thousands of events.
final class TrialGate: Sendable {
    private static let limit = 2

    private let projects = Mutex<Set<Int>>([])

    func enter(_ project: Int) -> Bool {
        projects.withLock { $0.count < Self.limit && $0.insert(project).inserted }
    }

    func leave(_ project: Int) { projects.withLock { _ = $0.remove(project) } }
}
