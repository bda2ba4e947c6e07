import Foundation
import Logging
import WhorlPostgres
import WhorlProcessing

#if DEBUG
import WhorlFaults
#endif

/// Stores batches: creates missing partitions, retries after deadlocks, and separates events that cannot be stored.
actor BatchExecutor {
    /// A part of a batch that was stored in one transaction, or could not be.
    struct Part: Sendable {
        /// The places of its events in the batch.
        let range: Range<Int>
        /// In the order of the events.
        let results: [Result<WriteResult, any Error>]
        let isStored: Bool
        let missedDeadline: Bool
    }

    /// The time limit for an event's wait in the queue and its batch together.
    ///
    /// A request must not wait longer than 2 s during an outage, and writing to the spool takes part of that time.
    private static let maxWait = Duration.milliseconds(1_700)
    /// The minimum time for a batch, even when its events have waited for long.
    private static let shortestTry = Duration.milliseconds(300)

    private let pool: PostgresPool
    private let timeout: Duration
    private let logger: Logger
    private let metrics: WriterMetrics
    private var known = ReferenceCache()

    init(pool: PostgresPool, timeout: Duration, logger: Logger, metrics: WriterMetrics) {
        self.pool = pool
        self.timeout = timeout
        self.logger = logger
        self.metrics = metrics
    }

    /// Stores events, in one transaction if possible, and reports each part as soon as it ends.
    ///
    /// `oldest` is the time when the first event was submitted.
    func store(
        _ events: ArraySlice<PreparedEvent>,
        oldest: ContinuousClock.Instant,
        _ ended: @Sendable (Part) -> Void
    ) async {
        let start = ContinuousClock.now
        do {
            let deadline = max(min(start + timeout, oldest + Self.maxWait), start + Self.shortestTry)
            let results = try await transact(Array(events), deadline: deadline)
            #if DEBUG
            Fault.crashPoint(.afterCommit)
            #endif
            metrics.committed(events.count, start.duration(to: .now))
            ended(
                Part(
                    range: events.indices,
                    results: results.map { .success($0) },
                    isStored: true,
                    missedDeadline: false
                )
            )
        } catch let error as PostgresError where error.refusesBatch && events.count > 1 {
            // At least one of the events cannot be stored: each half is stored separately, so that the others can be.
            let middle = events.startIndex + events.count / 2
            await store(events[..<middle], oldest: oldest, ended)
            await store(events[middle...], oldest: oldest, ended)
        } catch {
            metrics.failed.increment()
            logger.warning("batch not stored", metadata: ["batch.events": "\(events.count)", "db.error": "\(error)"])
            let isLate = (error as? PostgresError).map { $0.isTooSlow || $0.code == .deadline } ?? false
            ended(
                Part(
                    range: events.indices,
                    results: events.map { _ in .failure(error) },
                    isStored: false,
                    missedDeadline: isLate
                )
            )
        }
    }

    /// Stores the events; creates missing partitions and resolves hashes again that were deleted in the meantime.
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
            let committed: BatchTransaction.Committed
            do {
                committed = try await run(transaction, deadline: deadline)
            } catch let error as PostgresError where error.sqlState == "23514" && attempt <= 2 {
                // There is no partition for the day: the event is the first one of a day or a replay of an old one.
                let days = events.map { PostgresDay($0.isReplay ? Date() : $0.event.receivedAt) }
                try await Partitions(pool: pool).create(for: Set(days))
                continue
            }
            known.merge(committed.found)
            var stale: [Int] = []
            for (place, index) in pending.enumerated() {
                if let result = committed.results[place] {
                    results[index] = result
                } else {
                    known.remove(hash: events[index].hashKey)
                    stale.append(index)
                }
            }
            guard stale.isEmpty || attempt < 5 else {
                throw PostgresError(.other, "an issue was deleted repeatedly while its event was being stored")
            }
            pending = stale
        }
        return results
    }

    private func run(
        _ transaction: BatchTransaction,
        deadline: ContinuousClock.Instant
    ) async throws -> BatchTransaction.Committed {
        var attempt = 1
        while true {
            do {
                let time = ContinuousClock.now.duration(to: deadline)
                return try await pool.withConnection("store_batch", timeout: time) {
                    try await transaction.run($0, deadline: $1)
                }
            } catch let error as PostgresError where error.isTransient && attempt < 4 {
                // Deadlock or serialization failure: the whole transaction is retried, so nothing is counted twice.
                attempt += 1
            }
        }
    }
}

extension PostgresError {
    /// Whether the server rejected the batch because of its content.
    fileprivate var refusesBatch: Bool { sqlState != nil && !meansServerUnavailable && !isTooSlow && !isTransient }
}
