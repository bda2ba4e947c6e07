import Foundation
import WhorlProtocol

/// Determines the time of an event and corrects clock drift (protocol facts, section 4.5).
enum EventTime {
    /// The minimum difference between the sent and the received time that counts as clock drift.
    private static let driftThreshold: TimeInterval = 55 * 60
    /// The maximum time by which an event may be in the future.
    private static let maxFuture: TimeInterval = 60
    /// The maximum age of an event.
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
