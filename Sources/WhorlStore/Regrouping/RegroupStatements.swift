import WhorlPostgres

/// The statements of regrouping jobs; `$1` is the project and `$2` the job, except in statements that have no job.
enum RegroupStatements {
    static let all = [
        begin, list, ask, waiting, take, read, lock, pointed, move, advance, finish, fail, emptied, hashes,
        showSources, pointHome, moveBack, forget, retreat, expire,
    ]

    private static let columns = """
        id, state, since, total, processed, moved, actor, error, created_at, finished_at
        """

    static let begin = PostgresStatement(
        "regroup_job",
        """
        INSERT INTO regroup_job (project_id, since, position, total, actor)
        SELECT $1, $2, $2, count(*), $3 FROM event
        WHERE project_id = $1 AND occurred_at >= $2 AND payload_codec >= 0
        HAVING NOT EXISTS (
            SELECT FROM regroup_job WHERE project_id = $1 AND state IN ('running', 'reverting'))
        RETURNING \(columns)
        """,
        [.int8, .timestamptz, .text]
    )

    static let list = PostgresStatement(
        "regroup_job",
        "SELECT \(columns) FROM regroup_job WHERE project_id = $1 ORDER BY id DESC LIMIT 50",
        [.int8]
    )

    static let ask = PostgresStatement(
        "regroup_job",
        """
        UPDATE regroup_job SET state = $4, finished_at = CASE $4 WHEN 'cancelled' THEN now() END
        WHERE project_id = $1 AND id = $2 AND state = ANY ($3)
        RETURNING \(columns)
        """,
        [.int8, .int8, PostgresType.text.array, .text]
    )

    static let waiting = PostgresStatement(
        "regroup",
        """
        SELECT project_id, id FROM regroup_job
        WHERE state IN ('running', 'reverting') AND created_at < now() - interval '\(delay) seconds'
        ORDER BY failures, id
        LIMIT 1
        """
    )

    /// The delay in seconds until all collectors group new events with the settings that the job started with.
    private static let delay = 5

    /// Locks a job; returns no row while another collector works on it.
    static let take = PostgresStatement(
        "regroup",
        """
        SELECT id, state, batch, position, position_id, created_at + interval '\(delay) seconds' AS until
        FROM regroup_job
        WHERE project_id = $1 AND id = $2 AND state IN ('running', 'reverting')
        FOR UPDATE SKIP LOCKED
        """,
        [.int8, .int8]
    )

    /// Reads the next events; events received after the job started are left out, since they already have the new
    /// grouping.
    static let read = PostgresStatement(
        "regroup",
        PayloadBound.bounded(
            """
            SELECT e.event_id, e.received_day, e.received_at, e.occurred_at, e.sent_at, e.client_address, e.release_id,
                e.hash_id, h.hash, e.payload_codec, e.payload
            FROM event e
            JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
            WHERE e.project_id = $1 AND $2::int8 IS NOT NULL AND e.occurred_at >= $4 AND (e.occurred_at, e.event_id) > ($4, $5)
                AND e.received_at < $6 AND e.payload_codec >= 0
            ORDER BY e.occurred_at, e.event_id
            LIMIT $3
            """,
            order: "occurred_at, event_id"
        ),
        [.int8, .int8, .int8, .timestamptz, .uuid, .timestamptz]
    )

    static let lock = PostgresStatement(
        "regroup",
        """
        SELECT id FROM issue
        WHERE project_id = $1 AND id IN (SELECT issue_id FROM grouping_hash WHERE project_id = $1 AND id = ANY ($2))
        ORDER BY id
        FOR UPDATE
        """,
        [.int8, PostgresType.int8.array]
    )

    /// The issues that the hashes point to; all of them must be locked.
    static let pointed = PostgresStatement(
        "regroup",
        "SELECT DISTINCT issue_id FROM grouping_hash WHERE project_id = $1 AND id = ANY ($2)",
        [.int8, PostgresType.int8.array]
    )

    static let move = PostgresStatement(
        "regroup",
        """
        WITH moved AS (
            UPDATE event e SET hash_id = i.to_id
            FROM unnest($4, $5, $6, $7) AS i (event_id, day, from_id, to_id)
            WHERE e.project_id = $1 AND e.event_id = i.event_id AND e.received_day = i.day AND e.hash_id = i.from_id
            RETURNING e.event_id, e.received_day, i.from_id, i.to_id
        )
        INSERT INTO regroup_move (project_id, job_id, batch, event_id, received_day, from_hash_id, to_hash_id)
        SELECT $1, $2, $3, event_id, received_day, from_id, to_id FROM moved
        RETURNING 1 AS one
        """,
        [
            .int8, .int8, .int8, PostgresType.uuid.array, PostgresType.date.array, PostgresType.int8.array,
            PostgresType.int8.array,
        ]
    )

    static let advance = PostgresStatement(
        "regroup",
        """
        UPDATE regroup_job SET batch = $3, failures = 0, position = $4, position_id = $5, processed = processed + $6,
            moved = moved + $7
        WHERE project_id = $1 AND id = $2
        """,
        [.int8, .int8, .int8, .timestamptz, .uuid, .int8, .int8]
    )

    static let finish = PostgresStatement(
        "regroup",
        "UPDATE regroup_job SET state = $3, finished_at = now() WHERE project_id = $1 AND id = $2",
        [.int8, .int8, .text]
    )

    /// Records a failure; after ten failures without progress the job gets the state `failed`, and other jobs continue.
    static let fail = PostgresStatement(
        "regroup",
        """
        UPDATE regroup_job SET failures = failures + 1, error = $3,
            state = CASE WHEN failures >= 9 THEN 'failed' ELSE state END,
            finished_at = CASE WHEN failures >= 9 THEN now() END
        WHERE project_id = $1 AND id = $2 AND state IN ('running', 'reverting')
        """,
        [.int8, .int8, .text]
    )

    /// Issues that lost all of their events, each with the issue that received most of them.
    static let emptied = PostgresStatement(
        "regroup",
        """
        SELECT DISTINCT ON (source) source, target
        FROM (
            SELECT f.issue_id AS source, t.issue_id AS target, count(*) AS events
            FROM regroup_move r
            JOIN grouping_hash f ON f.project_id = r.project_id AND f.id = r.from_hash_id
            JOIN grouping_hash t ON t.project_id = r.project_id AND t.id = r.to_hash_id
            JOIN issue i ON i.project_id = f.project_id AND i.id = f.issue_id
            WHERE r.project_id = $1 AND r.job_id = $2 AND i.event_count = 0 AND i.merged_into IS NULL
                AND f.issue_id <> t.issue_id
            GROUP BY 1, 2
        ) AS moves
        ORDER BY source, events DESC, target
        """,
        [.int8, .int8]
    )

    static let hashes = PostgresStatement(
        "regroup",
        """
        SELECT from_hash_id AS hash_id FROM regroup_move WHERE project_id = $1 AND job_id = $2 AND batch = $3
        UNION
        SELECT to_hash_id FROM regroup_move WHERE project_id = $1 AND job_id = $2 AND batch = $3
        """,
        [.int8, .int8, .int8]
    )

    static let showSources = PostgresStatement(
        "regroup",
        """
        UPDATE issue i SET merged_into = NULL, hash_epoch = hash_epoch + 1
        WHERE i.project_id = $1 AND i.merged_into IS NOT NULL AND i.event_count = 0 AND i.id IN (
            SELECT h.home_issue_id FROM regroup_move r
            JOIN grouping_hash h ON h.project_id = r.project_id AND h.id = r.from_hash_id
            WHERE r.project_id = $1 AND r.job_id = $2 AND r.batch = $3)
        """,
        [.int8, .int8, .int8]
    )

    /// Points the hashes of issues that are shown again back to these issues.
    static let pointHome = PostgresStatement(
        "regroup",
        """
        UPDATE grouping_hash h SET issue_id = h.home_issue_id
        WHERE h.project_id = $1 AND h.issue_id <> h.home_issue_id AND h.home_issue_id IN (
            SELECT f.home_issue_id FROM regroup_move r
            JOIN grouping_hash f ON f.project_id = r.project_id AND f.id = r.from_hash_id
            JOIN issue i ON i.project_id = f.project_id AND i.id = f.home_issue_id
            WHERE r.project_id = $1 AND r.job_id = $2 AND r.batch = $3 AND i.merged_into IS NULL AND i.event_count = 0)
        """,
        [.int8, .int8, .int8]
    )

    static let moveBack = PostgresStatement(
        "regroup",
        """
        WITH back AS (
            UPDATE event e SET hash_id = r.from_hash_id
            FROM regroup_move r
            WHERE r.project_id = $1 AND r.job_id = $2 AND r.batch = $3 AND e.project_id = r.project_id
                AND e.event_id = r.event_id AND e.received_day = r.received_day AND e.hash_id = r.to_hash_id
                AND EXISTS (
                    SELECT FROM grouping_hash f WHERE f.project_id = r.project_id AND f.id = r.from_hash_id)
            RETURNING e.event_id, e.received_day
        )
        -- Moves of events that were moved again or removed since are dropped; these events stay as they are.
        DELETE FROM regroup_move r
        WHERE r.project_id = $1 AND r.job_id = $2 AND r.batch = $3 AND NOT EXISTS (
            SELECT FROM back b WHERE b.event_id = r.event_id AND b.received_day = r.received_day)
        """,
        [.int8, .int8, .int8]
    )

    static let forget = PostgresStatement(
        "regroup",
        "DELETE FROM regroup_move WHERE project_id = $1 AND job_id = $2 AND batch = $3",
        [.int8, .int8, .int8]
    )

    static let retreat = PostgresStatement(
        "regroup",
        "UPDATE regroup_job SET batch = $3 WHERE project_id = $1 AND id = $2",
        [.int8, .int8, .int8]
    )

    /// Removes the recorded moves of jobs that ended before `$1`, which can then no longer be reverted.
    static let expire = PostgresStatement(
        "regroup",
        """
        DELETE FROM regroup_move WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM regroup_move r
            JOIN regroup_job j ON j.project_id = r.project_id AND j.id = r.job_id
            WHERE j.finished_at < $1
            LIMIT $2))
        """,
        [.timestamptz, .int8]
    )
}
