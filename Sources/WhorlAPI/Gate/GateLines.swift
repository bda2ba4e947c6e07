/// Who is inside a gate and who waits in front of it: a pure state machine.
///
/// Each key, such as a token, has so many places inside and so many in its line. The lines of two keys never hold each
/// other up.
struct GateLines<Key: Hashable & Sendable>: Sendable {
    /// What becomes of somebody who comes to the gate.
    enum Answer: Equatable {
        case enters
        case waits
        case refused
    }

    private struct Line {
        var inside = 0
        var waiting: [Int] = []
    }

    /// Places inside for each key.
    let places: Int
    /// Places in the line of each key.
    let waitingPlaces: Int
    /// A line goes with the last of its key.
    private var lines: [Key: Line] = [:]

    init(places: Int, waitingPlaces: Int) {
        self.places = places
        self.waitingPlaces = waitingPlaces
    }

    /// Keys that have somebody inside or waiting.
    var keys: Int { lines.count }

    /// Somebody, named by a number that nobody else has, wants to enter.
    mutating func come(_ visitor: Int, _ key: Key) -> Answer {
        var line = lines[key] ?? Line()
        if line.inside < places {
            line.inside += 1
            lines[key] = line
            return .enters
        }
        guard line.waiting.count < waitingPlaces else { return .refused }
        line.waiting.append(visitor)
        lines[key] = line
        return .waits
    }

    /// Somebody leaves; returns who enters in its place.
    mutating func leave(_ key: Key) -> Int? {
        guard var line = lines[key] else { return nil }
        defer { lines[key] = line.inside > 0 ? line : nil }
        guard line.waiting.isEmpty else { return line.waiting.removeFirst() }
        line.inside -= 1
        return nil
    }

    /// Somebody waits no longer; false when they have entered, or never waited.
    mutating func giveUp(_ visitor: Int, _ key: Key) -> Bool {
        guard let place = lines[key]?.waiting.firstIndex(of: visitor) else { return false }
        lines[key]?.waiting.remove(at: place)
        return true
    }
}
