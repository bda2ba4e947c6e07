import Foundation
import WhorlProtocol

/// When an event happened, for clocks that are wrong (protocol facts, section 4.5).
enum EventTime {
    /// A difference between sending and receiving from which on the sender's clock is taken to be wrong.
    private static let driftThreshold: TimeInterval = 55 * 60
    /// How far in the future an event may lie.
    private static let maxFuture: TimeInterval = 60
    /// How far in the past an event may lie.
    private static let maxAge: TimeInterval = 30 * 86_400

    static func occurred(_ timestamp: Date?, _ context: EventContext, _ notes: inout NoteList) -> Date {
        let received = context.receivedAt
        guard var moment = timestamp else { return received }
        if let sent = context.sentAt {
            let drift = received.timeIntervalSince(sent)
            if abs(drift) >= driftThreshold {
                moment += drift
                notes.add("timestamp", "clock_drift")
            }
        }
        let age = received.timeIntervalSince(moment)
        if age < -maxFuture {
            notes.add("timestamp", "future_timestamp")
            return received
        }
        if age > maxAge {
            notes.add("timestamp", "past_timestamp")
            return received
        }
        return moment
    }
}
