import Foundation
import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlProcessing
import WhorlTelemetry

#if DEBUG
import WhorlFaults
#endif

/// Keeps events: collects those that arrive together into a batch, stores it in one transaction, and answers each waiting
/// request after the commit.
///
/// A batch leaves when a writer is free and the first event has waited for the linger time, or when it is full. The queue
/// is bounded in events and bytes, in all and for each project, and projects take turns; what is over it is refused at
/// once. `run()` drives it; when it is stopped, what was submitted is stored before it returns, and later submissions are
/// refused.
package actor EventWriter: Service {
    /// How events are batched; each bound has its unit in the name.
    package struct Configuration: Sendable {
        /// Most events of a batch.
        package var batchEvents = 200
        /// Most payload bytes of a batch, compressed.
        package var batchBytes = 1 << 20
        /// How long the first event of a batch waits for others.
        package var linger = Duration.milliseconds(5)
        /// Batches in flight at once, each on a connection of its own.
        package var writers = 2
        /// Most events that wait.
        package var queueEvents = 10_000
        /// Most payload bytes that wait, compressed.
        package var queueBytes = 64 << 20
        /// Payloads that one fingerprint may store per minute; events beyond are kept as thin rows.
        package var payloadsPerMinute = 500
        /// How long a batch may take; beyond it the outcome is unknown, and the events go to the spool.
        package var timeout = Duration.milliseconds(1_500)

        package init() {}
    }

    /// How long an event may wait for its batch and the batch for the database, together: an outage must not keep a
    /// request waiting longer than 2 s, and writing to the spool takes its share.
    private static let patience = Duration.milliseconds(1_700)

    /// How long an event may wait for a writer, so that what is left of its time is enough for the spool.
    private static let queuePatience = Duration.milliseconds(1_200)

    /// What a batch gets even when its events waited long.
    private static let shortestTry = Duration.milliseconds(300)

    private struct Waiting {
        let event: PreparedEvent
        let since: ContinuousClock.Instant
        let answer: CheckedContinuation<WriteResult, any Error>

        var bytes: Int { event.payload.count }
    }

    private let pool: PostgresPool
    private let configuration: Configuration
    private let logger: Logger
    private let metrics: WriterMetrics
    private var queue = FairQueue<Int, Waiting>()
    private var inFlight = 0
    private var lingering = false
    private var isWatchingQueue = false
    private var isStopping = false
    /// False until the schema is known to be the program's own.
    private var isPrepared = false
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []
    private var known = ReferenceCache()
    private var flood: FloodGuard
    private var size: BatchSize

    package init(
        pool: PostgresPool,
        configuration: Configuration = .init(),
        logger: Logger,
        registry: MetricsRegistry
    ) {
        self.pool = pool
        self.configuration = configuration
        self.logger = logger
        flood = FloodGuard(payloadsPerMinute: configuration.payloadsPerMinute)
        size = BatchSize(maximum: configuration.batchEvents)
        metrics = WriterMetrics(registry: registry, capacity: configuration.queueEvents)
    }

    /// Waits until it is stopped, then until everything that was submitted is answered.
    package func run() async throws {
        try? await gracefulShutdown()
        isStopping = true
        if queue.isEmpty, inFlight == 0 { return }
        await withCheckedContinuation { idleWaiters.append($0) }
    }

    /// Lets events in: the database has been prepared.
    package func open() { isPrepared = true }

    /// Whether an event submitted now would be tried.
    package var isAnswering: Bool {
        get async {
            guard !isStopping, isPrepared else { return false }
            return await pool.isServerAnswering
        }
    }

    /// How much of the queue is taken, from 0 to 1.
    package var load: Double { Double(queue.count) / Double(configuration.queueEvents) }

    /// Keeps one event and returns after the commit; throws when it could not be kept, or when that is unknown.
    package func submit(_ event: PreparedEvent) async throws -> WriteResult {
        guard !isStopping else { throw PostgresError(.unavailable, "the collector is stopping") }
        guard isPrepared else { throw PostgresError(.unavailable, "the database is not prepared yet") }
        guard await pool.isServerAnswering else { throw PostgresError(.unavailable, "the database does not answer") }
        let event = flood.isOver(event) ? event.thin : event
        guard hasRoom(for: event) else {
            metrics.refused.increment()
            throw PostgresError(.poolExhausted, "too many events wait")
        }
        return try await withCheckedThrowingContinuation { answer in
            queue.append(
                Waiting(event: event, since: .now, answer: answer),
                of: event.event.projectID,
                weight: event.payload.count
            )
            metrics.queued.set(Double(queue.count))
            schedule()
            watchQueue()
        }
    }

    /// Whether an event may wait.
    ///
    /// An eighth of the queue is kept for projects that hold less than half of it.
    private func hasRoom(for event: PreparedEvent) -> Bool {
        let own = queue.load(of: event.event.projectID)
        let isSmall = own.count < configuration.queueEvents / 2 && own.weight < configuration.queueBytes / 2
        let events = configuration.queueEvents - (isSmall ? 0 : configuration.queueEvents / 8)
        let bytes = configuration.queueBytes - (isSmall ? 0 : configuration.queueBytes / 8)
        return queue.count < events && queue.weight + event.payload.count <= bytes
    }

    /// When the event came that waits longest.
    private var oldest: ContinuousClock.Instant? { queue.heads.map(\.since).min() }

    /// Gives up events that no writer took in time: all writers may be held up by locks while the server answers.
    private func watchQueue() {
        guard !isWatchingQueue, let oldest else { return }
        isWatchingQueue = true
        let due = oldest + Self.queuePatience
        // Ends by itself; watches on while anything waits.
        Task {
            try? await Task.sleep(until: due, clock: .continuous)
            isWatchingQueue = false
            let limit = ContinuousClock.now - Self.queuePatience
            let late = queue.removeAll { $0.since <= limit }
            if !late.isEmpty {
                metrics.queued.set(Double(queue.count))
                metrics.overdue.increment(by: late.count)
                for waiting in late {
                    waiting.answer.resume(throwing: PostgresError(.unavailable, "no writer was free in time"))
                }
            }
            watchQueue()
        }
    }

    private func schedule() {
        guard inFlight < configuration.writers, !queue.isEmpty else { return }
        if queue.count >= size.events || queue.weight >= configuration.batchBytes {
            launch()
        } else if !lingering, let oldest {
            lingering = true
            let due = oldest + configuration.linger
            // Ends by itself after the linger time; nothing depends on it longer.
            Task {
                try? await Task.sleep(until: due, clock: .continuous)
                lingering = false
                if inFlight < configuration.writers, !queue.isEmpty { launch() }
            }
        }
    }

    private func launch() {
        var bytes = 0
        var ids: Set<EventKey> = []
        var batch: [Waiting] = []
        var later: [Waiting] = []
        while batch.count < size.events, bytes < configuration.batchBytes,
            let waiting = queue.popFirst()
        {
            // The same id twice in one statement would be two rows of one key: the second waits for a later batch, and
            // behind those who came after it.
            if ids.insert(EventKey(waiting.event.event)).inserted {
                bytes += waiting.bytes
                batch.append(waiting)
            } else {
                later.append(waiting)
            }
        }
        for waiting in later { queue.append(waiting, of: waiting.event.event.projectID, weight: waiting.bytes) }
        metrics.queued.set(Double(queue.count))
        inFlight += 1
        // Bounded by the number of writers; the requests in the batch wait for it.
        Task { [batch] in
            await store(batch)
            inFlight -= 1
            schedule()
            if queue.isEmpty, inFlight == 0 {
                for waiter in idleWaiters { waiter.resume() }
                idleWaiters = []
            }
        }
    }

    private func store(_ batch: [Waiting]) async {
        let start = ContinuousClock.now
        do {
            let oldest = batch.map(\.since).min() ?? start
            let deadline = max(min(start + configuration.timeout, oldest + Self.patience), start + Self.shortestTry)
            let outcome = try await transact(batch.map(\.event), deadline: deadline)
            #if DEBUG
            Fault.crashPoint(.afterCommit)
            #endif
            size.stored(batch.count)
            metrics.committed(batch.count, start.duration(to: .now))
            for (waiting, result) in zip(batch, outcome) { waiting.answer.resume(returning: result) }
        } catch let error as PostgresError
            where error.sqlState != nil && !error.meansServerAway && !error.isTooSlow && !error.isTransient
            && batch.count > 1
        {
            // Something in the batch cannot be stored. The others must not suffer for it.
            let middle = batch.count / 2
            await store(Array(batch[..<middle]))
            await store(Array(batch[middle...]))
        } catch {
            if let error = error as? PostgresError, error.isTooSlow || error.code == .deadline {
                size.missedDeadline(batch.count)
            }
            metrics.failed.increment()
            logger.warning("batch not stored", metadata: ["batch.events": "\(batch.count)", "db.error": "\(error)"])
            for waiting in batch { waiting.answer.resume(throwing: error) }
        }
    }

    /// Stores the events; makes missing partitions, and follows hashes that were deleted meanwhile.
    private func transact(
        _ events: [PreparedEvent],
        deadline: ContinuousClock.Instant
    ) async throws -> [WriteResult] {
        var results = [WriteResult](repeating: .duplicate, count: events.count)
        var pending = Array(events.indices)
        var attempt = 0
        while !pending.isEmpty {
            attempt += 1
            let transaction = BatchTransaction(events: pending.map { events[$0] }, known: known)
            let result: BatchTransaction.Committed
            do {
                result = try await attemptTransaction(transaction, deadline: deadline)
            } catch let error as PostgresError where error.sqlState == "23514" && attempt <= 2 {
                // No partition for the day: the first event of a day, or a replay of an old one.
                let days = events.map { PostgresDay($0.isReplay ? Date() : $0.event.receivedAt) }
                try await Partitions(pool: pool).create(for: Set(days))
                continue
            }
            known.merge(result.found)
            var stale: [Int] = []
            for (place, index) in pending.enumerated() {
                if let stored = result.results[place] {
                    results[index] = stored
                } else {
                    known.remove(hash: events[index].hashKey)
                    stale.append(index)
                }
            }
            guard stale.isEmpty || attempt < 5 else {
                throw PostgresError(.other, "an issue was deleted again and again while its event was stored")
            }
            pending = stale
        }
        return results
    }

    private func attemptTransaction(
        _ transaction: BatchTransaction,
        deadline: ContinuousClock.Instant
    ) async throws -> BatchTransaction.Committed {
        var attempt = 1
        while true {
            do {
                return try await pool.withConnection("store_batch", timeout: ContinuousClock.now.duration(to: deadline))
                {
                    try await transaction.run($0, deadline: $1)
                }
            } catch let error as PostgresError where error.isTransient && attempt < 4 {
                // Deadlock, serialization failure: tried again whole, so nothing is counted twice.
                attempt += 1
            }
        }
    }
}

/// What a writer tells the monitoring.
private struct WriterMetrics: Sendable {
    let queued: Gauge
    let refused: Counter
    let failed: Counter
    let overdue: Counter
    private let batchSize: Histogram
    private let duration: Histogram

    init(registry: MetricsRegistry, capacity: Int) {
        let length = registry.gauges("whorl_queue_length", "Entries that wait in a queue.", labels: ["queue"])
        let limits = registry.gauges("whorl_queue_capacity", "Entries that a queue can hold.", labels: ["queue"])
        queued = length.child("events")
        limits.child("events").set(Double(capacity))
        refused = registry.counters("whorl_queue_refused", "Entries refused by a full queue.", labels: ["queue"])
            .child("events")
        failed = registry.counter("whorl_db_failed_batches", "Batches of events that could not be stored.")
        overdue = registry.counter("whorl_queue_overdue", "Events that waited too long for a writer.")
        batchSize = registry.histogram(
            "whorl_db_commit_batch_size",
            "Events of a committed batch.",
            bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500]
        )
        duration = registry.histogram("whorl_db_commit_duration_seconds", "Time to store and commit a batch.")
    }

    func committed(_ events: Int, _ time: Duration) {
        batchSize.observe(Double(events))
        duration.observe(time)
    }
}
