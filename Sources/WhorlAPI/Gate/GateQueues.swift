/// The running and waiting requests of a gate: a pure state machine.
///
/// Each key, such as a token, has its own places and its own queue. The queues of two keys never block each other.
struct GateQueues<Key: Hashable & Sendable>: Sendable {
    /// The answer to a request that arrives at the gate.
    enum Answer: Equatable {
        case enters
        case waits
        case refused
    }

    private struct Line {
        var inside = 0
        var waiting: [Int] = []
    }

    /// Running requests allowed for each key.
    let places: Int
    /// Waiting requests allowed for each key.
    let waitingPlaces: Int
    /// The requests of each key; an entry is removed with the last request of its key.
    private var lines: [Key: Line] = [:]

    init(places: Int, waitingPlaces: Int) {
        self.places = places
        self.waitingPlaces = waitingPlaces
    }

    /// The number of keys with running or waiting requests.
    var keys: Int { lines.count }

    /// Handles a request that arrives; `request` is its unique number.
    mutating func enter(_ request: Int, _ key: Key) -> Answer {
        var line = lines[key] ?? Line()
        if line.inside < places {
            line.inside += 1
            lines[key] = line
            return .enters
        }
        guard line.waiting.count < waitingPlaces else { return .refused }
        line.waiting.append(request)
        lines[key] = line
        return .waits
    }

    /// Handles a request that leaves; returns the waiting request that takes its place.
    mutating func leave(_ key: Key) -> Int? {
        guard var line = lines[key] else { return nil }
        defer { lines[key] = line.inside > 0 ? line : nil }
        guard line.waiting.isEmpty else { return line.waiting.removeFirst() }
        line.inside -= 1
        return nil
    }

    /// Removes a waiting request; false if it is no longer waiting or never waited.
    mutating func giveUp(_ request: Int, _ key: Key) -> Bool {
        guard let place = lines[key]?.waiting.firstIndex(of: request) else { return false }
        lines[key]?.waiting.remove(at: place)
        return true
    }
}
