import WhorlPostgres

/// The statements of jobs that group stored events anew; `$1` is the project and `$2`, where there is a job, the job.
enum RegroupStatements {
    static let all = [
        begin, list, ask, waiting, take, read, lock, move, advance, finish, emptied, hashes, showSources, pointHome,
        moveBack, forget, retreat, removeEmpty,
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
        "SELECT project_id, id FROM regroup_job WHERE state IN ('running', 'reverting') ORDER BY id LIMIT 1"
    )

    /// Nothing comes back while another collector works on the job.
    static let take = PostgresStatement(
        "regroup",
        """
        SELECT id, state, batch FROM regroup_job
        WHERE project_id = $1 AND id = $2 AND state IN ('running', 'reverting')
        FOR UPDATE SKIP LOCKED
        """,
        [.int8, .int8]
    )

    /// The next events, up to those that came after the job began, which are grouped so already.
    static let read = PostgresStatement(
        "regroup",
        """
        SELECT e.event_id, e.received_day, e.received_at, e.occurred_at, e.sent_at, e.client_address, e.release_id,
            e.hash_id, h.hash, e.payload_codec, e.payload
        FROM regroup_job j
        JOIN event e ON e.project_id = j.project_id AND e.occurred_at >= j.position
            AND (e.occurred_at, e.event_id) > (j.position, j.position_id) AND e.received_at < j.created_at
        JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
        WHERE j.project_id = $1 AND j.id = $2 AND e.payload_codec >= 0
        ORDER BY e.occurred_at, e.event_id
        LIMIT $3
        """,
        [.int8, .int8, .int8]
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
        UPDATE regroup_job SET batch = $3, position = $4, position_id = $5, processed = processed + $6,
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

    /// Issues that lost all of their events, and the one that got most of them.
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

    /// The hashes of issues that are shown again lead to them again.
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
            RETURNING e.event_id
        )
        -- What somebody else has moved, or retention has removed, stays as it is.
        DELETE FROM regroup_move r
        WHERE r.project_id = $1 AND r.job_id = $2 AND r.batch = $3
            AND NOT EXISTS (SELECT FROM back b WHERE b.event_id = r.event_id)
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

    /// Issues that the job made and that have nothing any more.
    static let removeEmpty = PostgresStatement(
        "regroup",
        """
        WITH empty AS (
            SELECT i.project_id, i.id FROM issue i, regroup_job j
            WHERE j.project_id = $1 AND j.id = $2 AND i.project_id = $1 AND i.event_count = 0
                AND i.merged_into IS NULL AND i.last_seen_bucket < j.created_at AND NOT EXISTS (
                    SELECT FROM grouping_hash h
                    JOIN hash_environment n ON n.project_id = h.project_id AND n.hash_id = h.id
                    WHERE h.project_id = i.project_id AND h.issue_id = i.id)
        ),
        hashes AS (
            DELETE FROM grouping_hash h USING empty e WHERE h.project_id = e.project_id AND h.issue_id = e.id
        )
        DELETE FROM issue i USING empty e WHERE i.project_id = e.project_id AND i.id = e.id
        """,
        [.int8, .int8]
    )
}
