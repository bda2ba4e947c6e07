import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlTelemetry

#if DEBUG
import WhorlFaults
#endif

/// Stores one batch of events: resolves their references, then runs a single statement that inserts and counts.
///
/// That statement is a transaction by itself. Unknown references are found or created before it by a constant number of
/// statements. Rows that these create remain when the batch fails. Events that another collector may store at the same
/// time under a different day are protected by locks (``DuplicateGuard``).
struct BatchTransaction: Sendable {
    let events: [PreparedEvent]
    let known: ReferenceCache

    /// The result of a committed transaction.
    struct Committed: Sendable {
        /// In the order of ``events``; nil for an event whose hash was deleted in the meantime, so that it must be
        /// retried.
        var results: [WriteResult?]
        /// The references that were resolved; valid only after the transaction is committed.
        var found: ReferenceCache
    }

    func run(_ connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws -> Committed {
        let isKnown = events.allSatisfy { event in
            known.knowsHashes(of: event) && known.environments[event.environmentKey] != nil
                && event.releaseKey.map { known.releases[$0] != nil } ?? true
        }
        let resolution = isKnown ? Resolution() : try await resolve(connection, deadline)
        let guarded = events.indices.filter { DuplicateGuard.needsLock(events[$0]) }
        guard !guarded.isEmpty else { return try await store(connection, resolution, deadline) }
        return try await connection.transaction(deadline: deadline) { connection in
            var resolution = resolution
            resolution.duplicates.formUnion(
                try await DuplicateGuard.lock(guarded.map { events[$0] }, connection, deadline).map { guarded[$0] }
            )
            return try await store(connection, resolution, deadline)
        }
    }

    private func store(
        _ connection: PostgresConnection,
        _ resolution: Resolution,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Committed {
        let found = resolution.found
        let duplicates = resolution.duplicates
        let indices = events.indices.filter { !duplicates.contains($0) }
        let batch = indices.map { events[$0] }
        var results = [WriteResult?](repeating: .duplicate, count: events.count)
        guard !batch.isEmpty else { return Committed(results: results, found: found) }
        let rows = batch.map { event in
            BatchRow(
                event: event,
                hashID: known.hashes[event.hashKey] ?? found.hashes[event.hashKey] ?? 0,
                environmentID: known.environments[event.environmentKey] ?? found.environments[event.environmentKey]
                    ?? 0,
                releaseID: event.releaseKey.flatMap { known.releases[$0] ?? found.releases[$0] }
            )
        }
        #if DEBUG
        Fault.crashPoint(.beforeCommit)
        #endif
        let stored = try await connection.execute(
            BatchStatements.store,
            BatchRow.columns.values(rows),
            deadline: deadline
        )
        var byKey: [EventKey: WriteResult?] = [:]
        // Only one event of the batch announces each regression and each new issue.
        var regressed: Set<Int> = []
        var announced: Set<Int> = []
        for row in stored {
            let key = EventKey(try row.read("project_id"), try row.read("event_id"))
            if try !row.read("alive", as: Bool.self) {
                byKey[key] = .some(nil)
            } else if try row.read("stored", as: Bool.self) {
                let issue: Int = try row.read("issue_id")
                byKey[key] = .stored(
                    isNewIssue: try row.read("is_first", as: Bool.self) && announced.insert(issue).inserted,
                    isRegression: try row.read("regressed", as: Bool.self) && regressed.insert(issue).inserted
                )
            }
        }
        for (place, index) in indices.enumerated() {
            results[index] = byKey[EventKey(batch[place].event), default: .duplicate]
        }
        return Committed(results: results, found: found)
    }
}

/// The identity of an event across projects.
struct EventKey: Hashable {
    let projectID: Int
    let eventID: UUID

    init(_ projectID: Int, _ eventID: UUID) {
        self.projectID = projectID
        self.eventID = eventID
    }

    init(_ event: ProcessedEvent) {
        self.init(event.projectID, event.eventID.uuid)
    }
}

/// The statement that stores a batch: it inserts the rows, then updates all counts from the rows that were inserted.
enum BatchStatements {
    static let all = [store]

    private static let isNew = """
        NOT EXISTS (
            SELECT FROM event e
            WHERE e.project_id = i.project_id AND e.event_id = i.event_id AND e.received_day = i.day - 1)
        AND NOT EXISTS (
            SELECT FROM event e
            WHERE e.project_id = i.project_id AND e.event_id = i.event_id AND e.received_day = i.day + 1)
        -- A late replay may be stored under any earlier day. Replayed events themselves were checked before.
        AND (i.is_replay OR NOT EXISTS (
            SELECT FROM late_replay r WHERE r.project_id = i.project_id AND r.event_id = i.event_id))
        """

    #if DEBUG
    private static let duplicateCheck = Fault.isEnabled(.duplicates) ? isNew : "true"
    #else
    private static let duplicateCheck = isNew
    #endif

    /// Stores a batch in a single statement, and so in one transaction.
    ///
    /// Counters cannot differ from rows, and running the statement again changes nothing. Every sub-statement writes
    /// its rows in the order of their keys, so that all collectors lock in the same order. An event whose hash was
    /// deleted in the meantime is neither stored nor counted; the caller resolves the hash again.
    static let store = PostgresStatement(
        "store_batch",
        """
        WITH input AS MATERIALIZED (
            -- A late replay is stored under the current day, so that the primary key also rejects the same event when
            -- its sender sends it again at that time.
            SELECT t.*, CASE WHEN is_replay THEN greatest((received_at AT TIME ZONE 'UTC')::date,
                (now() AT TIME ZONE 'UTC')::date) ELSE (received_at AT TIME ZONE 'UTC')::date END AS day
            FROM \(BatchRow.columns.unnest(as: "t"))
        ),
        pointed AS MATERIALIZED (
            SELECT i.project_id, i.event_id, i.hash_id, h.issue_id, s.hash_epoch
            FROM input i
            JOIN grouping_hash h ON h.project_id = i.project_id AND h.id = i.hash_id
            JOIN issue s ON s.project_id = h.project_id AND s.id = h.issue_id AND s.merged_into IS NULL
        ),
        -- The issues are locked before anything is written, in the order of their keys: so two collectors cannot
        -- deadlock, whatever the plan, and no issue is deleted while an event is added to it.
        locked AS MATERIALIZED (
            SELECT project_id, id, hash_epoch, status, resolved_at, event_count FROM issue
            WHERE (project_id, id) IN (SELECT project_id, issue_id FROM pointed)
            ORDER BY project_id, id
            FOR NO KEY UPDATE
        ),
        -- The epoch of an issue has changed if its hashes were merged or unmerged while this statement waited for the
        -- lock.
        alive AS MATERIALIZED (
            SELECT p.*
            FROM pointed p
            JOIN locked l ON l.project_id = p.project_id AND l.id = p.issue_id AND l.hash_epoch = p.hash_epoch
        ),
        inserted AS (
            INSERT INTO event (
                project_id, event_id, received_day, received_at, occurred_at, hash_id, environment_id, release_id,
                level, user_hash, title, tags, client_address, payload_codec, payload, sent_at, notes)
            SELECT i.project_id, i.event_id, i.day, i.received_at, i.occurred_at, i.hash_id, i.environment_id,
                i.release_id, i.level, i.user_hash, i.title,
                CASE WHEN i.payload_codec < 0 THEN '{}' ELSE string_to_array(i.tags, E'\\x1f') END, i.client_address,
                i.payload_codec, i.payload, i.sent_at, i.notes
            FROM input i
            JOIN alive a ON a.project_id = i.project_id AND a.event_id = i.event_id
            -- The same id on the same, previous or next day is a duplicate: midnight and retries are covered. The
            -- primary key covers the same day; an event spooled before midnight may have been sent again after it.
            WHERE \(duplicateCheck)
            ORDER BY i.project_id, i.event_id
            ON CONFLICT DO NOTHING
            RETURNING project_id, event_id, received_day, received_at, occurred_at, hash_id, environment_id,
                release_id, level, user_hash, payload_codec
        ),
        outcomes AS (
            INSERT INTO outcome (project_id, minute, category, outcome, reason, slot, quantity)
            SELECT project_id, date_trunc('minute', received_at, 'UTC'), 'error', 'accepted', 'none',
                pg_backend_pid() % 8, count(*)
            FROM inserted
            GROUP BY 1, 2
            ORDER BY 1, 2
            ON CONFLICT (project_id, minute, category, outcome, reason, slot) DO UPDATE SET
                quantity = outcome.quantity + excluded.quantity
        ),
        per_environment AS (
            INSERT INTO hash_environment (
                project_id, hash_id, environment_id, events, thin_events, first_seen, last_seen)
            SELECT project_id, hash_id, environment_id, count(*), count(*) FILTER (WHERE payload_codec < 0),
                min(occurred_at), max(occurred_at)
            FROM inserted
            GROUP BY 1, 2, 3
            ORDER BY 1, 2, 3
            ON CONFLICT (project_id, hash_id, environment_id) DO UPDATE SET
                events = hash_environment.events + excluded.events,
                thin_events = hash_environment.thin_events + excluded.thin_events,
                first_seen = least(hash_environment.first_seen, excluded.first_seen),
                last_seen = greatest(hash_environment.last_seen, excluded.last_seen)
        ),
        per_hour AS (
            INSERT INTO hash_hour (project_id, hash_id, environment_id, hour, events)
            SELECT project_id, hash_id, environment_id, date_trunc('hour', received_at, 'UTC'), count(*)
            FROM inserted
            GROUP BY 1, 2, 3, 4
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (project_id, hash_id, environment_id, hour) DO UPDATE SET
                events = hash_hour.events + excluded.events
        ),
        users AS (
            INSERT INTO hash_user (project_id, hash_id, environment_id, user_hash)
            SELECT DISTINCT i.project_id, i.hash_id, e.environment_id, i.user_hash
            FROM inserted i, LATERAL (VALUES (i.environment_id), (0::int8)) AS e (environment_id)
            WHERE i.user_hash IS NOT NULL
            ORDER BY 1, 2, 3, 4
            ON CONFLICT DO NOTHING
            RETURNING project_id, hash_id, environment_id, user_hash
        ),
        backlog AS (
            INSERT INTO tag_backlog (project_id, id, hash_ids, environment_ids, days, occurred_at, tags)
            SELECT i.project_id, nextval('tag_backlog_sequence'), array_agg(i.hash_id), array_agg(i.environment_id),
                array_agg(i.received_day), array_agg(i.occurred_at), array_agg(p.tags)
            FROM inserted i
            JOIN input p ON p.project_id = i.project_id AND p.event_id = i.event_id
            GROUP BY i.project_id
        ),
        totals AS (
            SELECT i.project_id, a.issue_id, count(*) AS events, min(i.occurred_at) AS first_seen,
                max(i.occurred_at) AS last_seen,
                (array_agg(i.level ORDER BY i.occurred_at DESC))[1] AS level,
                (array_agg(i.release_id ORDER BY i.occurred_at DESC)
                    FILTER (WHERE i.release_id IS NOT NULL))[1] AS release_id
            FROM inserted i
            JOIN alive a ON a.project_id = i.project_id AND a.event_id = i.event_id
            GROUP BY 1, 2
        ),
        user_totals AS (
            -- Users with an event under another hash of the issue are counted already.
            SELECT u.project_id, h.issue_id, count(DISTINCT u.user_hash) AS users
            FROM users u
            JOIN (SELECT DISTINCT project_id, hash_id, issue_id FROM alive) AS h
                ON h.project_id = u.project_id AND h.hash_id = u.hash_id
            WHERE u.environment_id = 0 AND NOT EXISTS (
                SELECT FROM grouping_hash g
                JOIN hash_user o ON o.project_id = g.project_id AND o.hash_id = g.id AND o.environment_id = 0
                    AND o.user_hash = u.user_hash
                WHERE g.project_id = u.project_id AND g.issue_id = h.issue_id AND g.id <> u.hash_id)
            GROUP BY 1, 2
        ),
        updated AS (
            UPDATE issue SET
                event_count = issue.event_count + t.events,
                user_count = issue.user_count + t.users,
                first_seen = least(issue.first_seen, t.first_seen),
                last_seen = greatest(issue.last_seen, t.last_seen),
                last_seen_bucket = date_bin(
                    '5 minutes', greatest(issue.last_seen, t.last_seen), timestamptz '2000-01-01 00:00:00Z'),
                level = CASE WHEN t.last_seen >= issue.last_seen THEN t.level ELSE issue.level END,
                last_release_id = coalesce(t.release_id, issue.last_release_id),
                -- An event that occurred before the issue was resolved (late, or from the spool) does not reopen it.
                status = CASE WHEN t.reopens THEN 0 ELSE issue.status END,
                substatus = CASE WHEN t.reopens THEN 'regressed' ELSE issue.substatus END,
                resolved_at = CASE WHEN t.reopens THEN NULL ELSE issue.resolved_at END,
                regressed_at = CASE WHEN t.reopens THEN now() ELSE issue.regressed_at END
            FROM (
                SELECT t.*, coalesce(u.users, 0) AS users,
                    l.status = 1 AND t.last_seen > coalesce(l.resolved_at, '-infinity') AS reopens
                FROM totals t
                JOIN locked l ON l.project_id = t.project_id AND l.id = t.issue_id
                LEFT JOIN user_totals u ON u.project_id = t.project_id AND u.issue_id = t.issue_id
                ORDER BY t.project_id, t.issue_id
            ) AS t
            WHERE issue.project_id = t.project_id AND issue.id = t.issue_id
            RETURNING issue.project_id, issue.id, t.reopens AS regressed, t.release_id
        ),
        activity AS (
            INSERT INTO issue_activity (project_id, issue_id, kind, data)
            SELECT u.project_id, u.id, 'set_regression', (
                SELECT json_build_object('version', r.version)::text FROM release r
                WHERE r.project_id = u.project_id AND r.id = u.release_id)
            FROM updated u
            WHERE u.regressed
        )
        SELECT i.project_id, i.event_id, a.issue_id IS NOT NULL AS alive, s.event_id IS NOT NULL AS stored,
            coalesce(u.regressed, false) AND s.event_id IS NOT NULL AS regressed, a.issue_id,
            coalesce(l.event_count = 0, false) AND s.event_id IS NOT NULL AS is_first
        FROM input i
        LEFT JOIN alive a ON a.project_id = i.project_id AND a.event_id = i.event_id
        LEFT JOIN inserted s ON s.project_id = i.project_id AND s.event_id = i.event_id
        LEFT JOIN updated u ON u.project_id = a.project_id AND u.id = a.issue_id
        LEFT JOIN locked l ON l.project_id = a.project_id AND l.id = a.issue_id
        """,
        BatchRow.columns.types
    )
}
