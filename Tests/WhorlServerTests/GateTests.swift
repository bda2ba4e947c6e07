import Testing

@testable import WhorlAPI

@Suite("Concurrency limits of the API")
struct GateTests {
    private enum Step: Sendable {
        case enter(Int, String, GateQueues<String>.Answer)
        case leave(String, Int?)
        case giveUp(Int, String, Bool)
    }

    /// Sequences for two places and two waiting places per key.
    private static let orders: [[Step]] = [
        [.enter(1, "a", .enters), .enter(2, "a", .enters), .leave("a", nil), .leave("a", nil)],
        // Waiting requests enter in order, and their number is limited.
        [
            .enter(1, "a", .enters), .enter(2, "a", .enters), .enter(3, "a", .waits), .enter(4, "a", .waits),
            .enter(5, "a", .refused), .leave("a", 3), .leave("a", 4), .leave("a", nil), .leave("a", nil),
        ],
        // Waiting requests of one key do not affect another key.
        [
            .enter(1, "a", .enters), .enter(2, "a", .enters), .enter(3, "a", .waits), .enter(4, "b", .enters),
            .enter(5, "b", .enters), .leave("b", nil), .leave("a", 3), .leave("a", nil), .leave("a", nil),
            .leave("b", nil),
        ],
        // A request that gave up is skipped; a request that has entered cannot give up.
        [
            .enter(1, "a", .enters), .enter(2, "a", .enters), .enter(3, "a", .waits), .enter(4, "a", .waits),
            .giveUp(3, "a", true), .giveUp(3, "a", false), .giveUp(1, "a", false), .leave("a", 4), .leave("a", nil),
            .leave("a", nil),
        ],
        // Leaving without having entered changes nothing.
        [.leave("a", nil), .giveUp(1, "a", false)],
    ]

    @Test("Every sequence of entering, waiting and leaving gives the expected results", arguments: orders.indices)
    func order(_ index: Int) {
        var lines = GateQueues<String>(places: 2, waitingPlaces: 2)
        for step in Self.orders[index] {
            switch step {
            case .enter(let request, let key, let answer): #expect(lines.enter(request, key) == answer)
            case .leave(let key, let next): #expect(lines.leave(key) == next)
            case .giveUp(let request, let key, let isWaiting): #expect(lines.giveUp(request, key) == isWaiting)
            }
        }
        #expect(lines.keys == 0)
    }

    @Test("A place is released exactly once, also on deallocation, and waiting times out")
    func places() async throws {
        let gate = Gate<Int>(places: 1, waitingPlaces: 1, maxWait: .milliseconds(20))
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
