import Foundation
import WhorlPostgres

/// Prevents concurrent transactions from storing the same event under two days.
///
/// Within a day, the primary key rejects duplicates, and the storing statement sees events that were committed earlier
/// under other days. Only two concurrent transactions with different days do not see each other: around midnight, and
/// when a spooled event is replayed while its sender sends it again. Such events take an advisory lock by their id and
/// are searched on every day in between. A late replay is stored under the day of the replay, where the primary key
/// rejects the same event even if it is sent without a lock.
enum DuplicateGuard {
    /// The time around midnight in which events take the lock: clocks of collectors differ, and senders retry after
    /// seconds.
    private static let midnight: TimeInterval = 600

    static func needsLock(_ event: PreparedEvent) -> Bool {
        if event.isReplay { return true }
        let second = event.event.receivedAt.timeIntervalSince1970.truncatingRemainder(dividingBy: 86_400)
        return second < midnight || second > 86_400 - midnight
    }

    /// Locks the events until the transaction ends; returns the indices of those that are already stored.
    static func lock(
        _ events: [PreparedEvent],
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> [Int] {
        let projects = PostgresValue.array(of: events.map(\.event.projectID))
        let ids = PostgresValue.array(of: events.map(\.event.eventID.uuid))
        _ = try await connection.execute(DuplicateStatements.lock, [projects, ids], deadline: deadline)
        let days = PostgresValue.array(of: events.map { PostgresDay($0.event.receivedAt) })
        let rows = try await connection.execute(
            DuplicateStatements.find,
            [projects, ids, days],
            deadline: deadline
        )
        var stored: Set<EventKey> = []
        for row in rows { stored.insert(EventKey(try row.read("project_id"), try row.read("event_id"))) }
        let fresh = events.filter { $0.isReplay && !stored.contains(EventKey($0.event)) }
        if !fresh.isEmpty {
            _ = try await connection.execute(
                DuplicateStatements.remember,
                [
                    .array(of: fresh.map(\.event.projectID)), .array(of: fresh.map(\.event.eventID.uuid)),
                    .array(of: fresh.map { PostgresDay($0.event.receivedAt) }),
                ],
                deadline: deadline
            )
        }
        return events.indices.filter { stored.contains(EventKey(events[$0].event)) }
    }
}

enum DuplicateStatements {
    static let all = [lock, find, remember]

    /// Locks in the order of the keys, so that two collectors cannot deadlock.
    static let lock = PostgresStatement(
        "guard_duplicates",
        """
        SELECT pg_advisory_xact_lock(w.number) IS NULL AS locked
        FROM (
            SELECT DISTINCT hashtextextended(event_id::text, project_id) AS number
            FROM unnest($1, $2) AS e (project_id, event_id)
            ORDER BY 1
        ) AS w
        """,
        [PostgresType.int8.array, PostgresType.uuid.array]
    )

    /// Records events that are replayed on a later day, since they may be sent again on any day after it.
    static let remember = PostgresStatement(
        "guard_duplicates",
        """
        INSERT INTO late_replay (project_id, event_id)
        SELECT project_id, event_id FROM unnest($1, $2, $3) AS e (project_id, event_id, day)
        WHERE day < (now() AT TIME ZONE 'UTC')::date
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING
        """,
        [PostgresType.int8.array, PostgresType.uuid.array, PostgresType.date.array]
    )

    /// Finds events that are stored on any day from the day before their arrival to tomorrow, or that were replayed
    /// late.
    static let find = PostgresStatement(
        "guard_duplicates",
        """
        SELECT i.project_id, i.event_id
        FROM unnest($1, $2, $3) AS i (project_id, event_id, day)
        WHERE EXISTS (
            SELECT FROM event e
            WHERE e.project_id = i.project_id AND e.event_id = i.event_id AND e.received_day >= i.day - 1
                AND e.received_day <= greatest(i.day, (now() AT TIME ZONE 'UTC')::date) + 1)
        OR EXISTS (
            SELECT FROM late_replay r WHERE r.project_id = i.project_id AND r.event_id = i.event_id)
        """,
        [PostgresType.int8.array, PostgresType.uuid.array, PostgresType.date.array]
    )
}
