import Foundation

/// Decides which events of a flood are kept without their payload: a fingerprint stores so many payloads per minute.
///
/// Counted by the minute in which the event arrived, so that a replay decides as the first try did. Bounded: when too
/// many fingerprints are known, all are forgotten, which stores a few payloads more.
struct FloodGuard {
    private static let capacity = 100_000

    private struct Key: Hashable {
        let hash: ReferenceCache.HashKey
        let minute: Int
    }

    private let payloadsPerMinute: Int
    private var stored: [Key: Int] = [:]

    init(payloadsPerMinute: Int) { self.payloadsPerMinute = payloadsPerMinute }

    /// Counts the event, and says whether it is over the bound.
    mutating func isOver(_ event: PreparedEvent) -> Bool {
        guard event.codec != PayloadCodec.none else { return false }
        let minute = Int(event.event.receivedAt.timeIntervalSince1970 / 60)
        if stored.count >= Self.capacity { stored.removeAll() }
        let count = stored[Key(hash: event.hashKey, minute: minute), default: 0] + 1
        stored[Key(hash: event.hashKey, minute: minute)] = count
        return count > payloadsPerMinute
    }
}
