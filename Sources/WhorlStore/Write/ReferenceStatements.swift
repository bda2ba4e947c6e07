import WhorlPostgres

/// Statements that find, or make, what an event refers to: its hash and issue, its environment, its release.
enum ReferenceStatements {
    static let all = [hash, orphan, environment, release]

    /// Finds the hash, or makes it: for the issue of the alias where that is known, else with a new issue.
    ///
    /// When another collector makes the same hash at that moment, no row comes back; asked again, it is found.
    static let hash = PostgresStatement(
        "resolve_hash",
        """
        WITH alias_issue AS (
            -- Kept from being deleted until we have joined it.
            SELECT i.id FROM grouping_hash h
            JOIN issue i ON i.project_id = h.project_id AND i.id = h.issue_id
            WHERE h.project_id = $1 AND h.hash = $3
            FOR KEY SHARE OF i
        ),
        known AS (
            SELECT
                (SELECT h.id FROM grouping_hash h
                    JOIN issue i ON i.project_id = h.project_id AND i.id = h.issue_id
                    WHERE h.project_id = $1 AND h.hash = $2) AS hash_id,
                (SELECT id FROM alias_issue) AS alias_issue
        ),
        made AS (
            INSERT INTO grouping_hash (project_id, id, hash, issue_id)
            SELECT $1, nextval('hash_id_sequence'), $2, coalesce(alias_issue, nextval('issue_id_sequence'))
            FROM known
            WHERE hash_id IS NULL
            ON CONFLICT (project_id, hash) DO NOTHING
            RETURNING id, issue_id
        ),
        alias AS (
            INSERT INTO grouping_hash (project_id, id, hash, issue_id)
            SELECT $1, nextval('hash_id_sequence'), $3, made.issue_id
            FROM made, known
            WHERE $3::bytea IS NOT NULL AND known.alias_issue IS NULL
            ON CONFLICT (project_id, hash) DO NOTHING
        ),
        number AS (
            UPDATE project_counter SET next_short_id = next_short_id + 1
            FROM made, known
            WHERE project_counter.project_id = $1 AND known.alias_issue IS NULL
            RETURNING next_short_id - 1 AS short_id
        ),
        created AS (
            INSERT INTO issue (
                project_id, id, short_id, level, type, title, culprit, location, metadata, platform, logger,
                is_unhandled, first_seen, last_seen, last_seen_bucket, first_release_id)
            SELECT $1, made.issue_id, number.short_id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13,
                date_bin('5 minutes', $13, timestamptz '2000-01-01 00:00:00Z'), $14
            FROM made, number
            RETURNING id
        )
        SELECT coalesce(made.id, known.hash_id) AS hash_id, created.id IS NOT NULL AS is_new_issue
        FROM known
        LEFT JOIN made ON true
        LEFT JOIN created ON true
        """,
        [
            .int8, .bytea, .bytea, .int2, .text, .text, .text, .text, .text, .text, .text, .bool, .timestamptz, .int8,
        ]
    )

    /// Removes a hash whose issue is gone, so that it can be made anew.
    ///
    /// It must run as a statement of its own: in the one that lost a race for a hash, the winner's issue cannot be
    /// seen yet.
    static let orphan = PostgresStatement(
        "resolve_hash",
        """
        DELETE FROM grouping_hash h
        WHERE project_id = $1 AND hash = $2
            AND NOT EXISTS (SELECT FROM issue i WHERE i.project_id = h.project_id AND i.id = h.issue_id)
        """,
        [.int8, .bytea]
    )

    /// Environments of a project beyond which new names are kept as `__other__`: the name comes from the sender.
    static let maxEnvironments = 200

    static let environment = PostgresStatement(
        "resolve_environment",
        """
        WITH chosen AS (
            SELECT CASE
                WHEN (SELECT count(*) FROM environment WHERE project_id = $1) < \(maxEnvironments)
                    OR EXISTS (SELECT FROM environment WHERE project_id = $1 AND name = $2)
                THEN $2 ELSE '__other__' END AS name
        ),
        made AS (
            INSERT INTO environment (project_id, name)
            SELECT $1, name FROM chosen
            WHERE NOT EXISTS (SELECT FROM environment e WHERE e.project_id = $1 AND e.name = chosen.name)
            ON CONFLICT DO NOTHING
            RETURNING id
        )
        SELECT id FROM made
        UNION ALL
        SELECT e.id FROM environment e, chosen WHERE e.project_id = $1 AND e.name = chosen.name
        """,
        [.int8, .text]
    )

    /// Releases of a project beyond which new versions are kept as `__other__`, for the same reason.
    static let maxReleases = 20_000

    static let release = PostgresStatement(
        "resolve_release",
        """
        WITH chosen AS (
            SELECT CASE
                WHEN EXISTS (SELECT FROM release WHERE project_id = $1 AND version = $2) THEN $2
                WHEN (SELECT count(*) FROM release WHERE project_id = $1) < \(maxReleases) THEN $2
                ELSE '__other__' END AS version
        ),
        made AS (
            INSERT INTO release (project_id, version)
            SELECT $1, version FROM chosen
            WHERE NOT EXISTS (SELECT FROM release r WHERE r.project_id = $1 AND r.version = chosen.version)
            ON CONFLICT DO NOTHING
            RETURNING id
        )
        SELECT id FROM made
        UNION ALL
        SELECT r.id FROM release r, chosen WHERE r.project_id = $1 AND r.version = chosen.version
        """,
        [.int8, .text]
    )
}
