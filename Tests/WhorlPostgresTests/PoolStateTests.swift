import Testing
import WhorlTestSupport

@testable import WhorlPostgres

/// Connections are numbers in these tests.
///
/// Request 1 is the first one, request 2 waits, and request 9 is new.
@Suite struct PoolStateTests {
    private typealias Pool = PoolState<Int>

    private static let start = ContinuousClock.now

    private static let connect: [Pool.Event] = [.requested(1), .opened]

    private static let states: [(name: String, events: [Pool.Event])] = [
        ("empty", []), ("idle", connect + [.returned(1, isReusable: true, .succeeded)]), ("busy", connect),
        ("busy, one waits", connect + [.requested(2)]), ("connecting, one waits", [.requested(1), .requested(2)]),
        ("busy, line full", connect + [.requested(2), .requested(3)]),
        ("away", [.requested(1), .openFailed(isAway: true)]), ("closed", [.closed]),
        ("closed, busy", connect + [.closed]),
    ]

    private static let events: [(name: String, event: Pool.Event, applies: @Sendable (Pool) -> Bool)] = [
        ("requested", .requested(9), { _ in true }), ("2 expired", .expired(2), { _ in true }),
        ("opened", .opened, { $0.connecting > 0 }), ("not opened", .openFailed(isAway: false), { $0.connecting > 0 }),
        ("server away at open", .openFailed(isAway: true), { $0.connecting > 0 }),
        ("returned", .returned(7, isReusable: true, .succeeded), { $0.busy > 0 }),
        ("returned after an error", .returned(7, isReusable: true, .failed), { $0.busy > 0 }),
        ("returned broken", .returned(7, isReusable: false, .failed), { $0.busy > 0 }),
        ("server away in use", .returned(7, isReusable: false, .away), { $0.busy > 0 }),
        ("found ended", .foundEnded, { $0.busy > 0 }),
        ("probe answered", .probeSucceeded(8), { !$0.isServerAnswering }),
        ("probe failed", .probeFailed, { !$0.isServerAnswering }), ("closed", .closed, { _ in true }),
    ]

    private static let table = """
        event                   | empty     | idle                 | busy           | busy, one waits                | connecting, one waits | busy, line full                                | away           | closed           | closed, busy
        requested               | connect 9 | lend 1 to 9 to check | wait 9         | wait 9                         | wait 9                | refuse 9: tooManyWait                          | refuse 9: away | refuse 9: closed | refuse 9: closed
        2 expired               | -         | -                    | -              | refuse 2: late                 | refuse 2: late        | refuse 2: late                                 | -              | -                | -
        opened                  |           |                      |                |                                | -                     |                                                |                |                  |
        not opened              |           |                      |                |                                | connect 2             |                                                |                |                  |
        server away at open     |           |                      |                |                                | refuse 2: away; probe |                                                |                |                  |
        returned                |           |                      | -              | lend 7 to 2                    |                       | lend 7 to 2                                    |                |                  | close 7
        returned after an error |           |                      | -              | lend 7 to 2                    |                       | lend 7 to 2                                    |                |                  | close 7
        returned broken         |           |                      | close 7        | close 7; connect 2             |                       | close 7; connect 2                             |                |                  | close 7
        server away in use      |           |                      | probe; close 7 | refuse 2: away; probe; close 7 |                       | refuse 2: away; refuse 3: away; probe; close 7 |                |                  | probe; close 7
        found ended             |           |                      | -              | -                              |                       | -                                              |                |                  | -
        probe answered          |           |                      |                |                                |                       |                                                | -              |                  |
        probe failed            |           |                      |                |                                |                       |                                                | -              |                  |
        closed                  | -         | close 1              | -              | refuse 2: closed               | refuse 2: closed      | refuse 2: closed; refuse 3: closed             | -              | -                | -
        """

    private static func text(_ actions: [Pool.Action]) -> String {
        let words = actions.map { action in
            switch action {
            case .lend(let id, let connection, let isFresh):
                "lend \(connection) to \(id)" + (isFresh ? "" : " to check")
            case .connect(let id): "connect \(id)"
            case .wait(let id): "wait \(id)"
            case .refuse(let id, let refusal): "refuse \(id): \(refusal)"
            case .close(let connections): "close " + connections.map(String.init).joined(separator: ",")
            case .probe: "probe"
            }
        }
        return words.isEmpty ? "-" : words.joined(separator: "; ")
    }

    private static func pool(_ events: [Pool.Event]) -> Pool {
        var pool = Pool(size: 1, maxWaiters: 2, trustedIdleTime: .milliseconds(100))
        for event in events { _ = pool.handle(event, at: start, jitter: 1) }
        return pool
    }

    @Test("Every event in every state has the actions from the table")
    func table() {
        let rows = Self.events.map { name, event, applies in
            TextTable.row(
                [name]
                    + Self.states.map { _, path in
                        var pool = Self.pool(path)
                        // The event cannot occur in this state.
                        guard applies(pool) else { return "" }
                        let actions = pool.handle(event, at: Self.start + .seconds(1), jitter: 1)
                        #expect(pool.busy >= 0 && pool.connecting >= 0)
                        #expect(pool.busy + pool.connecting + pool.idleCount <= 1)
                        return Self.text(actions)
                    }
            )
        }
        let text = ([TextTable.row(["event"] + Self.states.map(\.name))] + rows).joined(separator: "\n")
        #expect(text == TextTable.aligned(Self.table))
    }

    @Test("While the server is away requests fail immediately; a successful probe, one at a time, reopens the pool")
    func outage() {
        var pool = Self.pool([.requested(1), .openFailed(isAway: true)])
        #expect(!pool.isServerAnswering)
        #expect(pool.nextProbe == Self.start + .milliseconds(100))
        let probes = [0, 100, 9_000].map { pool.startProbe(at: Self.start + .milliseconds($0)) }
        #expect(probes == [false, true, false])
        _ = pool.handle(.probeSucceeded(8), at: Self.start, jitter: 1)
        #expect(pool.isServerAnswering)
        let actions = pool.handle(.requested(9), at: Self.start, jitter: 1)
        #expect(Self.text(actions) == "lend 8 to 9")
    }
}
