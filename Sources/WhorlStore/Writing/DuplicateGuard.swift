import Foundation
import WhorlPostgres

/// Keeps the same event from being stored twice under two days at the same moment.
///
/// Of one day the primary key tells, and an earlier commit is seen by the statement that stores. Only two transactions at
/// once, with two days, see nothing of each other: around midnight, and when a spooled event is replayed while its sender
/// sends it again. Those events take a lock of the database by their id, and are looked for on every day in between. A
/// late replay is stored under the day of the replay, where the primary key keeps it apart from an event without a lock.
enum DuplicateGuard {
    /// How near to midnight a request counts as such: clocks of collectors differ, and senders repeat after seconds.
    private static let midnight: TimeInterval = 600

    static func needsLock(_ event: PreparedEvent) -> Bool {
        if event.isReplay { return true }
        let second = event.event.receivedAt.timeIntervalSince1970.truncatingRemainder(dividingBy: 86_400)
        return second < midnight || second > 86_400 - midnight
    }

    /// Locks the events until the transaction ends; returns the places of those that are stored already.
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

    /// In the order of their numbers, so that two collectors cannot wait for each other in a circle.
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

    /// Remembers events that are replayed on a later day, which may be sent again on any day after it.
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

    /// Which events are stored, on any day from the one before they arrived to tomorrow, or were replayed late.
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
