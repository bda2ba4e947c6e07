import Testing

@testable import WhorlAPI

@Suite("The gate in front of the API")
struct GateTests {
    private enum Step: Sendable {
        case come(Int, String, GateLines<String>.Answer)
        case leave(String, Int?)
        case giveUp(Int, String, Bool)
    }

    /// Two places and two in line for each key.
    private static let orders: [[Step]] = [
        [.come(1, "a", .enters), .come(2, "a", .enters), .leave("a", nil), .leave("a", nil)],
        // The first that waits is the first that enters; the line is bounded.
        [
            .come(1, "a", .enters), .come(2, "a", .enters), .come(3, "a", .waits), .come(4, "a", .waits),
            .come(5, "a", .refused), .leave("a", 3), .leave("a", 4), .leave("a", nil), .leave("a", nil),
        ],
        // One key's line is nothing to another.
        [
            .come(1, "a", .enters), .come(2, "a", .enters), .come(3, "a", .waits), .come(4, "b", .enters),
            .come(5, "b", .enters), .leave("b", nil), .leave("a", 3), .leave("a", nil), .leave("a", nil),
            .leave("b", nil),
        ],
        // Who gave up is passed over; who is inside cannot give up.
        [
            .come(1, "a", .enters), .come(2, "a", .enters), .come(3, "a", .waits), .come(4, "a", .waits),
            .giveUp(3, "a", true), .giveUp(3, "a", false), .giveUp(1, "a", false), .leave("a", 4), .leave("a", nil),
            .leave("a", nil),
        ],
        // Leaving what nobody entered changes nothing.
        [.leave("a", nil), .giveUp(1, "a", false)],
    ]

    @Test("Each order of coming, waiting and leaving", arguments: orders.indices)
    func order(_ index: Int) {
        var lines = GateLines<String>(places: 2, waitingPlaces: 2)
        for step in Self.orders[index] {
            switch step {
            case .come(let visitor, let key, let answer): #expect(lines.come(visitor, key) == answer)
            case .leave(let key, let next): #expect(lines.leave(key) == next)
            case .giveUp(let visitor, let key, let isWaiting): #expect(lines.giveUp(visitor, key) == isWaiting)
            }
        }
        #expect(lines.keys == 0)
    }

    @Test("A place is given back once, also when nobody refers to it any more; waiting ends")
    func places() async throws {
        let gate = Gate<Int>(places: 1, waitingPlaces: 1, patience: .milliseconds(20))
        var place: GatePlace? = try await gate.enter(1)
        await #expect(throws: GateRefusal.late) { try await gate.enter(1) }
        place = nil
        let second = try await gate.enter(1)
        second.leave()
        let third = try await gate.enter(1)
        second.leave()
        await #expect(throws: GateRefusal.late) { try await gate.enter(1) }
        withExtendedLifetime(third) {}
        #expect(place == nil)
    }
}
