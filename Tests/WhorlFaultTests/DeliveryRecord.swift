import Foundation
import Synchronization
import WhorlProtocol
import WhorlTestSupport

/// A client's record of every event it sent and of the responses.
final class DeliveryRecord: Sendable {
    private struct State {
        var sent: Set<EventID> = []
        var acknowledged: Set<EventID> = []
        var statuses: [Int: Int] = [:]
        var unanswered = 0
        var slowest = Duration.zero
    }

    private let state = Mutex(State())

    func sending(_ id: EventID) { state.withLock { _ = $0.sent.insert(id) } }

    func answered(_ id: EventID, _ status: Int, after time: Duration) {
        state.withLock { state in
            state.statuses[status, default: 0] += 1
            state.slowest = max(state.slowest, time)
            if status == 200 { state.acknowledged.insert(id) }
        }
    }

    func unanswered() { state.withLock { $0.unanswered += 1 } }

    var sent: Set<EventID> { state.withLock { $0.sent } }
    var acknowledged: Set<EventID> { state.withLock { $0.acknowledged } }
    var open: Set<EventID> { state.withLock { $0.sent.subtracting($0.acknowledged) } }
    var statuses: [Int: Int] { state.withLock { $0.statuses } }
    var slowest: Duration { state.withLock { $0.slowest } }

    /// Resets the longest response time, so that a phase can be measured separately.
    func restartClock() { state.withLock { $0.slowest = .zero } }

    var summary: String {
        state.withLock { state in
            "sent \(state.sent.count), acknowledged \(state.acknowledged.count), answers \(state.statuses), "
                + "unanswered \(state.unanswered), slowest \(state.slowest)"
        }
    }
}
