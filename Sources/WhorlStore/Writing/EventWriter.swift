import Logging
import ServiceLifecycle
import Synchronization
import WhorlPostgres
import WhorlServices
import WhorlTelemetry

/// Stores events: combines events that arrive together into a batch, stores it in one transaction, and answers each
/// waiting request after the commit.
///
/// ``BatchQueue`` decides what to store, and ``BatchExecutor`` stores it. Nothing is stored before `run()`. When
/// `run()` is stopped, it stores all submitted events before it returns; later submissions are rejected.
package final class EventWriter: Service, Sendable {
    /// The limits of batches and of the queue.
    package struct Configuration: Sendable {
        /// The maximum number of events of a batch.
        package var batchEvents = 200
        /// The maximum size of the compressed payloads of a batch.
        package var batchBytes = 1 << 20
        /// The time that the first event of a batch waits for others.
        package var linger = Duration.milliseconds(5)
        /// The maximum number of concurrent batches, each on its own connection.
        package var writers = 2
        /// The maximum number of queued events.
        package var queueEvents = 10_000
        /// The maximum size of the compressed payloads of queued events.
        package var queueBytes = 64 << 20
        /// The number of payloads that one fingerprint may store per minute; further events are stored without payload.
        package var payloadsPerMinute = 500
        /// The time limit of a batch; after a timeout its result is unknown, and the events go to the spool.
        package var timeout = Duration.milliseconds(1_500)

        package init() {}
    }

    /// The maximum time that an event waits for a writer; the remaining time of the request is enough for the spool.
    static let maxQueueTime = Duration.milliseconds(1_200)

    private struct Submission: Sendable {
        let event: PreparedEvent
        let answer: CheckedContinuation<WriteResult, any Error>
    }

    private typealias Queue = BatchQueue<Submission>

    private struct State {
        var queue: Queue
        var flood: FloodGuard
        /// Whether the schema is known to match this program.
        var isPrepared = false
        var isStopping = false
    }

    /// Work for `run()`.
    private enum Work: Sendable {
        case store([Queue.Entry])
        case report(Queue.Event, at: ContinuousClock.Instant)
    }

    private let pool: PostgresPool
    private let capacity: Int
    private let metrics: WriterMetrics
    private let executor: BatchExecutor
    private let state: Mutex<State>
    /// Bounded by the queue: at most one batch per writer and one report per timer.
    private let work = WorkQueue<Work>()

    package init(
        pool: PostgresPool,
        configuration: Configuration = .init(),
        logger: Logger,
        registry: MetricsRegistry
    ) {
        self.pool = pool
        capacity = configuration.queueEvents
        metrics = WriterMetrics(registry: registry, capacity: configuration.queueEvents)
        executor = BatchExecutor(pool: pool, timeout: configuration.timeout, logger: logger, metrics: metrics)
        state = Mutex(
            State(
                queue: Queue(configuration),
                flood: FloodGuard(payloadsPerMinute: configuration.payloadsPerMinute)
            )
        )
    }

    /// Stores batches until it is stopped, then until all submitted events are answered.
    ///
    /// When its task is cancelled, transactions in progress are cancelled too; the events are answered with an error, and
    /// the caller keeps them in the spool.
    package func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                while let work = await work.next() { group.addTask { await self.perform(work) } }
                // Timers may still be running.
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            self.stop()
        }
    }

    private func stop() {
        state.withLock { $0.isStopping = true }
        handle(.stopped)
    }

    /// Accepts events from now on; called when the database is prepared.
    package func open() { state.withLock { $0.isPrepared = true } }

    /// Whether the writer would try to store an event that is submitted now.
    package var isAnswering: Bool {
        state.withLock { $0.isPrepared && !$0.isStopping } && pool.isServerAnswering
    }

    /// The used part of the queue, from 0 to 1.
    package var load: Double { Double(state.withLock(\.queue.count)) / Double(capacity) }

    /// Stores an event and returns after the commit; throws when it was not stored or the result is unknown.
    package func submit(_ event: PreparedEvent) async throws -> WriteResult {
        guard pool.isServerAnswering else { throw PostgresError(.unavailable, "the database does not answer") }
        return try await withCheckedThrowingContinuation { answer in
            let now = ContinuousClock.now
            let actions = state.withLock { state -> [Queue.Action]? in
                guard state.isPrepared else { return nil }
                let event = state.flood.isOver(event) ? event.withoutPayload : event
                let entry = Queue.Entry(
                    key: EventKey(event.event),
                    bytes: event.payload.count,
                    since: now,
                    payload: Submission(event: event, answer: answer)
                )
                let actions = state.queue.handle(.submitted(entry), at: now)
                metrics.queued.set(Double(state.queue.count))
                return actions
            }
            if let actions {
                perform(actions)
            } else {
                answer.resume(throwing: PostgresError(.unavailable, "the database is not prepared yet"))
            }
        }
    }

    // MARK: - Actions

    private func handle(_ event: Queue.Event) {
        let actions = state.withLock { state in
            let actions = state.queue.handle(event, at: .now)
            metrics.queued.set(Double(state.queue.count))
            return actions
        }
        perform(actions)
    }

    private func perform(_ actions: [Queue.Action]) {
        for action in actions {
            switch action {
            case .store(let batch): work.add(.store(batch))
            case .startLinger(let end): work.add(.report(.lingerEnded, at: end))
            case .startQueueTimer(let end): work.add(.report(.queueTimeEnded, at: end))
            case .refuse(let entry):
                metrics.refused.increment()
                entry.payload.answer.resume(throwing: PostgresError(.poolExhausted, "the event queue is full"))
            case .refuseStopping(let entry):
                entry.payload.answer.resume(throwing: PostgresError(.unavailable, "the collector is stopping"))
            case .giveUp(let late):
                metrics.overdue.increment(by: late.count)
                for entry in late {
                    entry.payload.answer.resume(throwing: PostgresError(.unavailable, "no writer was free in time"))
                }
            case .finish: work.finish()
            }
        }
    }

    private func perform(_ work: Work) async {
        switch work {
        case .report(let event, let time):
            try? await Task.sleep(until: time, clock: .continuous)
            // A cancelled sleep ends at once: the queue timer would be started again and again.
            if Task.isCancelled, case .queueTimeEnded = event { return }
            handle(event)
        case .store(let batch):
            let oldest = batch.map(\.since).min() ?? .now
            await executor.store(batch.map(\.payload.event)[...], oldest: oldest) { part in
                for (entry, result) in zip(batch[part.range], part.results) {
                    entry.payload.answer.resume(with: result)
                }
                if part.isStored { handle(.stored(part.range.count)) }
                if part.missedDeadline { handle(.missedDeadline(part.range.count)) }
            }
            handle(.batchEnded)
        }
    }
}
