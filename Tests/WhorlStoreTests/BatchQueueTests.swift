import Foundation
import Testing
import WhorlTestSupport

@testable import WhorlStore

@Suite struct BatchQueueTests {
    private typealias Queue = BatchQueue<Int>

    private static let start = ContinuousClock.now

    private static let configuration: EventWriter.Configuration = {
        var configuration = EventWriter.Configuration()
        configuration.batchEvents = 2
        configuration.batchBytes = 100
        configuration.writers = 1
        configuration.queueEvents = 8
        configuration.queueBytes = 1_000
        return configuration
    }()

    /// A submitted event with this id and project, 10 bytes by default.
    private static func event(_ id: Int, project: Int = 1, bytes: Int = 10) -> Queue.Event {
        let uuid = UUID(uuid: (UInt8(id), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        return .submitted(.init(key: EventKey(project, uuid), bytes: bytes, since: start, payload: id))
    }

    private static let states: [(name: String, events: [Queue.Event])] = [
        ("empty", []), ("lingering", [event(1)]), ("storing", [event(1), event(2)]),
        ("waiting", [event(1), event(2), event(3), event(4)]),
        ("same id waits", [event(1), event(1), event(2)]),
        ("full", [event(1), event(2)] + (3...9).map { event($0) }),
        ("draining", [event(1), event(2), event(3), .stopped]), ("stopped", [.stopped]),
    ]

    private static let events: [(name: String, event: Queue.Event)] = [
        ("submitted", event(20)), ("submitted by another project", event(20, project: 2)),
        ("submitted, large", event(20, bytes: 100)), ("linger ended", .lingerEnded),
        ("maxWait ended", .queueTimeEnded), ("batch ended", .batchEnded), ("stopped", .stopped),
    ]

    private static let table = """
        event                        | empty                       | lingering  | storing | waiting     | same id waits | full                  | draining            | stopped
        submitted                    | linger 5.0; maxWait 1200.0 | store 1,20 | -       | -           | -             | refuse 20             | refuse 20: stopping | refuse 20: stopping
        submitted by another project | linger 5.0; maxWait 1200.0 | store 1,20 | -       | -           | -             | -                     | refuse 20: stopping | refuse 20: stopping
        submitted, large             | store 20                    | store 1,20 | -       | -           | -             | refuse 20             | refuse 20: stopping | refuse 20: stopping
        linger ended                 | -                           | store 1    | -       | -           | -             | -                     | -                   | -
        maxWait ended               | -                           | give up 1  | -       | give up 3,4 | give up 1,2   | give up 3,4,5,6,7,8,9 | give up 3           | finish
        batch ended                  | -                           | -          | -       | store 3,4   | store 1,2     | store 3,4             | -                   | -
        stopped                      | finish                      | -          | -       | -           | -             | -                     | -                   | finish
        """

    private static func text(_ actions: [Queue.Action]) -> String {
        let words = actions.map { action in
            switch action {
            case .store(let batch): "store " + batch.map { "\($0.payload)" }.joined(separator: ",")
            case .startLinger(let end): "linger \((end - start) / .milliseconds(1))"
            case .startQueueTimer(let end): "maxWait \((end - start) / .milliseconds(1))"
            case .refuse(let entry): "refuse \(entry.payload)"
            case .refuseStopping(let entry): "refuse \(entry.payload): stopping"
            case .giveUp(let late): "give up " + late.map { "\($0.payload)" }.joined(separator: ",")
            case .finish: "finish"
            }
        }
        return words.isEmpty ? "-" : words.joined(separator: "; ")
    }

    @Test("Every event in every state has the actions from the table")
    func table() {
        let late = Self.start + EventWriter.maxQueueTime
        let rows = Self.events.map { name, event in
            TextTable.row(
                [name]
                    + Self.states.map { _, path in
                        var queue = Queue(Self.configuration)
                        for step in path { _ = queue.handle(step, at: Self.start) }
                        return Self.text(queue.handle(event, at: late))
                    }
            )
        }
        let text = ([TextTable.row(["event"] + Self.states.map(\.name))] + rows).joined(separator: "\n")
        #expect(text == TextTable.aligned(Self.table))
    }

    @Test("A batch that misses its deadline halves the batch size; full batches that are stored double it")
    func sizes() {
        var configuration = Self.configuration
        configuration.batchEvents = 8
        configuration.queueEvents = 100
        var queue = Queue(configuration)
        var next = 0
        func submit(_ count: Int) -> [Int] {
            var batch: [Int] = []
            for _ in 0..<count {
                next += 1
                for case .store(let entries) in queue.handle(Self.event(next, bytes: 1), at: Self.start) {
                    batch = entries.map(\.payload)
                }
            }
            return batch
        }
        let sizes = [submit(8).count]
        #expect(sizes == [8])
        _ = queue.handle(.missedDeadline(8), at: Self.start)
        _ = queue.handle(.batchEnded, at: Self.start)
        #expect(submit(4).count == 4)
        _ = queue.handle(.stored(4), at: Self.start)
        _ = queue.handle(.batchEnded, at: Self.start)
        #expect(submit(7).isEmpty)
        #expect(submit(1).count == 8)
    }

    @Test("A batch does not exceed its byte limit")
    func bytes() {
        var queue = Queue(Self.configuration)
        _ = queue.handle(Self.event(1, bytes: 60), at: Self.start)
        let actions = queue.handle(Self.event(2, bytes: 60), at: Self.start)
        #expect(Self.text(actions) == "store 1,2")
        _ = queue.handle(Self.event(3, bytes: 200), at: Self.start)
        _ = queue.handle(Self.event(4, bytes: 10), at: Self.start)
        let next = queue.handle(.batchEnded, at: Self.start)
        #expect(Self.text(next) == "store 3")
    }
}
