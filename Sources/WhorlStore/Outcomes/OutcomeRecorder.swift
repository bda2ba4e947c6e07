import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import WhorlPostgres
import WhorlProtocol
import WhorlServices
import WhorlTelemetry

/// Sums up the outcomes of items per project and minute and writes the sums to the database every second.
///
/// Accepted events are not counted here: the statement that stores them counts them, so that the count matches the
/// rows. While the database is unavailable, the sums stay in memory, up to a limit. Outcomes beyond the limit are
/// counted without their project.
package final class OutcomeRecorder: Service, Sendable {
    /// The key of a sum.
    package struct Key: Hashable, Sendable {
        /// 0 when the project is not known.
        package let projectID: Int
        /// Unix time in minutes.
        package let minute: Int
        package let category: String
        package let outcome: String
        package let reason: String
    }

    /// An event that was dropped.
    private struct Dropped: Sendable {
        let projectID: Int
        let eventID: EventID
        let at: Date
        let outcome: String
        let reason: String
    }

    private static let maxKeys = 20_000
    /// The maximum number of dropped events that one write records; further ones are only counted.
    private static let maxDropped = 1_000
    /// The interval of writes, and so the time span of sums that a crash may lose.
    ///
    /// Stored events are counted with their rows.
    private static let interval = Duration.seconds(1)
    /// The maximum that one write adds to a sum, since a client may report any quantity.
    private static let maxQuantity = 1 << 40

    private struct State {
        var sums: [Key: Int] = [:]
        var dropped: [Dropped] = []
        /// A write that was sent but is not known to be committed; it is repeated unchanged.
        var pending: Pending?
    }

    /// One write, with an id by which the database detects a repetition.
    private struct Pending: Sendable {
        let id = UUID()
        let sums: [(key: Key, value: Int)]
        let dropped: [Dropped]
    }

    private let state = Mutex(State())
    private let pool: PostgresPool
    private let logger: Logger
    private let unattributed: Counter

    package init(pool: PostgresPool, logger: Logger, registry: MetricsRegistry) {
        self.pool = pool
        self.logger = logger
        unattributed = registry.counter(
            "whorl_outcomes_unattributed_total",
            "Outcomes counted without their project, because too many were waiting to be written."
        )
    }

    /// Counts outcomes of a project.
    package func count(
        projectID: Int,
        category: String,
        outcome: Outcome,
        reason: String,
        quantity: Int = 1,
        at now: Date
    ) {
        guard quantity > 0 else { return }
        let minute = Int(now.timeIntervalSince1970 / 60)
        state.withLock { state in
            var key = Key(
                projectID: projectID,
                minute: minute,
                category: category,
                outcome: outcome.rawValue,
                reason: reason
            )
            if state.sums[key] == nil, state.sums.count >= Self.maxKeys {
                key = Key(
                    projectID: 0,
                    minute: minute / 60 * 60,
                    category: category,
                    outcome: outcome.rawValue,
                    reason: reason
                )
                unattributed.increment()
            }
            let sum = state.sums[key, default: 0]
            state.sums[key] = sum.addingReportingOverflow(quantity).overflow ? .max : sum + quantity
        }
    }

    /// Records a dropped event.
    package func dropped(_ eventID: EventID, projectID: Int, outcome: Outcome, reason: Outcome.Reason, at now: Date) {
        state.withLock { state in
            guard state.dropped.count < Self.maxDropped else { return }
            state.dropped.append(
                Dropped(
                    projectID: projectID,
                    eventID: eventID,
                    at: now,
                    outcome: outcome.rawValue,
                    reason: reason.rawValue
                )
            )
        }
    }

    /// Writes every second, and once more when it is stopped.
    package func run() async throws {
        await PeriodicService(every: Self.interval) { await self.write() }.run()
        await write()
    }

    /// Writes the outcomes counted since the last write.
    ///
    /// A write whose result is unknown is repeated with the same id before any new one, so that it counts once.
    package func write() async {
        for _ in 0..<2 {
            let pending = state.withLock { state -> Pending? in
                if state.pending == nil, !state.sums.isEmpty || !state.dropped.isEmpty {
                    // Sorted, so that concurrent collectors lock rows in the same order.
                    let sums = state.sums.sorted { Self.order($0.key) < Self.order($1.key) }
                    state.pending = Pending(sums: sums, dropped: state.dropped)
                    state.sums = [:]
                    state.dropped = []
                }
                return state.pending
            }
            guard let pending else { return }
            do {
                try await write(pending)
                state.withLock { $0.pending = nil }
            } catch {
                logger.debug("outcomes not written", metadata: ["db.error": "\(error)"])
                return
            }
        }
    }

    private func write(_ pending: Pending) async throws {
        try await pool.transaction("write_outcomes") { connection, deadline in
            let isNew = try await connection.execute(
                OutcomeStatements.begin,
                [pending.id.postgresValue],
                deadline: deadline
            )
            // An earlier attempt was committed, but its response was lost.
            guard isNew.affected == 1 else { return }
            for start in stride(from: 0, to: pending.sums.count, by: 1_000) {
                let part = pending.sums[start..<min(start + 1_000, pending.sums.count)]
                _ = try await connection.execute(OutcomeStatements.add, Self.values(part), deadline: deadline)
            }
            guard !pending.dropped.isEmpty else { return }
            _ = try await connection.execute(
                OutcomeStatements.drop,
                [
                    .array(of: pending.dropped.map(\.projectID)), .array(of: pending.dropped.map(\.eventID.uuid)),
                    .array(of: pending.dropped.map(\.at)), .array(of: pending.dropped.map(\.outcome)),
                    .array(of: pending.dropped.map(\.reason)),
                ],
                deadline: deadline
            )
        }
    }

    private static func order(_ key: Key) -> (Int, Int, String, String, String) {
        (key.projectID, key.minute, key.category, key.outcome, key.reason)
    }

    private static func values(_ sums: ArraySlice<(key: Key, value: Int)>) -> [PostgresValue] {
        [
            .array(of: sums.map(\.key.projectID)),
            .array(of: sums.map { Date(timeIntervalSince1970: Double($0.key.minute) * 60) }),
            .array(of: sums.map(\.key.category)), .array(of: sums.map(\.key.outcome)),
            .array(of: sums.map(\.key.reason)), .array(of: sums.map { min($0.value, maxQuantity) }),
        ]
    }
}

enum OutcomeStatements {
    static let all = [begin, forgetWrites, add, drop, forget, expire, rollUp, findDropped]

    /// The limit of a sum: half of the range of a bigint, so that adding two sums cannot overflow.
    private static let maxSum = 1 << 62

    /// Records a write by its id; affects no row when it was committed before.
    static let begin = PostgresStatement(
        "write_outcomes",
        "INSERT INTO outcome_write (id) VALUES ($1) ON CONFLICT DO NOTHING",
        [.uuid]
    )

    /// Removes the ids of writes after a day; a write is repeated within minutes.
    static let forgetWrites = PostgresStatement(
        "forget_outcome_writes",
        """
        DELETE FROM outcome_write WHERE id IN (
            SELECT id FROM outcome_write WHERE written_at < now() - interval '1 day' LIMIT $1)
        """,
        [.int8]
    )

    static let add = PostgresStatement(
        "write_outcomes",
        """
        INSERT INTO outcome (project_id, minute, category, outcome, reason, slot, quantity)
        SELECT project_id, minute, category, outcome, reason, 8 + pg_backend_pid() % 8, quantity
        FROM unnest($1, $2, $3, $4, $5, $6) AS o (project_id, minute, category, outcome, reason, quantity)
        ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (project_id, minute, category, outcome, reason, slot) DO UPDATE SET
            quantity = least(outcome.quantity, \(maxSum)) + excluded.quantity
        """,
        [
            PostgresType.int8.array, PostgresType.timestamptz.array, PostgresType.text.array, PostgresType.text.array,
            PostgresType.text.array, PostgresType.int8.array,
        ]
    )

    static let drop = PostgresStatement(
        "write_dropped",
        """
        INSERT INTO dropped_event (project_id, event_id, dropped_at, outcome, reason)
        SELECT DISTINCT ON (1, 2) * FROM unnest($1, $2, $3, $4, $5)
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING
        """,
        [
            PostgresType.int8.array, PostgresType.uuid.array, PostgresType.timestamptz.array,
            PostgresType.text.array, PostgresType.text.array,
        ]
    )

    static let findDropped = PostgresStatement(
        "find_dropped",
        """
        SELECT d.project_id, p.slug AS project, d.dropped_at, d.outcome, d.reason
        FROM dropped_event d
        JOIN project p ON p.id = d.project_id
        WHERE p.organization_id = $1 AND d.event_id = $2
        ORDER BY d.dropped_at DESC
        LIMIT 1
        """,
        [.int8, .uuid]
    )

    /// Removes dropped events that were recorded more than a few days ago.
    static let forget = PostgresStatement(
        "forget_dropped",
        """
        DELETE FROM dropped_event
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM dropped_event WHERE dropped_at < $1 LIMIT $2))
        """,
        [.timestamptz, .int8]
    )

    /// Removes sums that are older than the retention period.
    static let expire = PostgresStatement(
        "expire_outcomes",
        "DELETE FROM outcome WHERE ctid = ANY (ARRAY(SELECT ctid FROM outcome WHERE minute < $1 LIMIT $2))",
        [.timestamptz, .int8]
    )

    /// Combines the sums of old minutes into sums per hour over all slots, at most `$2` rows at a time.
    static let rollUp = PostgresStatement(
        "roll_up_outcomes",
        """
        WITH moved AS (
            DELETE FROM outcome
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM outcome
                WHERE minute < $1 AND (minute <> date_trunc('hour', minute, 'UTC') OR slot <> 0)
                LIMIT $2))
            RETURNING project_id, date_trunc('hour', minute, 'UTC') AS hour, category, outcome, reason, quantity
        ),
        added AS (
            INSERT INTO outcome (project_id, minute, category, outcome, reason, slot, quantity)
            SELECT project_id, hour, category, outcome, reason, 0, least(sum(quantity), \(maxSum))
            FROM moved
            GROUP BY 1, 2, 3, 4, 5
            ORDER BY 1, 2, 3, 4, 5
            ON CONFLICT (project_id, minute, category, outcome, reason, slot) DO UPDATE SET
                quantity = least(outcome.quantity, \(maxSum)) + excluded.quantity
        )
        SELECT 1 AS one FROM moved
        """,
        [.timestamptz, .int8]
    )
}
