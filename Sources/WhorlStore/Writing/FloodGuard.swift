import Foundation

/// Decides which events of a flood are stored without payload, by a limit of payloads per hash and minute.
///
/// The minute is that of the event's arrival, so that a replay is decided like the first attempt. Memory is bounded:
/// when too many hashes are counted, all counts are reset, which lets a few more payloads be stored.
struct FloodGuard {
    private static let capacity = 100_000

    private struct Key: Hashable {
        let hash: ReferenceCache.HashKey
        let minute: Int
    }

    private let payloadsPerMinute: Int
    private var stored: [Key: Int] = [:]

    init(payloadsPerMinute: Int) { self.payloadsPerMinute = payloadsPerMinute }

    /// Counts the event and returns whether it exceeds the limit.
    mutating func isOver(_ event: PreparedEvent) -> Bool {
        guard event.codec != PayloadCodec.none else { return false }
        let minute = Int(event.event.receivedAt.timeIntervalSince1970 / 60)
        if stored.count >= Self.capacity { stored.removeAll() }
        let count = stored[Key(hash: event.hashKey, minute: minute), default: 0] + 1
        stored[Key(hash: event.hashKey, minute: minute)] = count
        return count > payloadsPerMinute
    }
}
