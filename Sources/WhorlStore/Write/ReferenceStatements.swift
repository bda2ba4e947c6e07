import WhorlPostgres

/// Statements that find, or make, what an event refers to: its hash and issue, its environment, its release.
enum ReferenceStatements {
    static let all = [hash, orphan, environment, release]

    /// Hashes of an issue beyond which further ones of its events are not noted.
    static let maxHashes = 200

    /// Finds the leading hash, or makes it: for the issue that any further hash points to, else with a new issue; and makes
    /// the further ones that are missing.
    ///
    /// When another collector makes the same hash at that moment, no row comes back; asked again, it is found.
    static let hash = PostgresStatement(
        "resolve_hash",
        """
        WITH wanted AS (
            SELECT hash, place FROM unnest($2) WITH ORDINALITY AS w (hash, place)
        ),
        found AS (
            -- The issues are kept from being deleted until we have joined one.
            -- Of an issue that was merged while we waited for it, the row tells where to.
            SELECT w.place, h.id, coalesce(i.merged_into, i.id) AS issue_id, h.home_issue_id
            FROM wanted w
            JOIN grouping_hash h ON h.project_id = $1 AND h.hash = w.hash
            JOIN issue i ON i.project_id = h.project_id AND i.id = h.issue_id
            FOR KEY SHARE OF i
        ),
        known AS MATERIALIZED (
            SELECT (SELECT id FROM found WHERE place = 1) AS hash_id,
                (SELECT issue_id FROM found ORDER BY place LIMIT 1) AS issue_id,
                (SELECT home_issue_id FROM found ORDER BY place LIMIT 1) AS home_issue_id
        ),
        target AS MATERIALIZED (
            SELECT n.issue_id, coalesce(known.home_issue_id, n.issue_id) AS home_issue_id
            FROM known, LATERAL (SELECT coalesce(known.issue_id, nextval('issue_id_sequence')) AS issue_id) AS n
        ),
        made AS (
            INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
            SELECT $1, nextval('hash_id_sequence'), $2[1], target.issue_id, target.home_issue_id
            FROM known, target
            WHERE known.hash_id IS NULL
            ON CONFLICT (project_id, hash) DO NOTHING
            RETURNING id, issue_id, home_issue_id
        ),
        -- A hash that was made for an issue while it was merged follows it.
        mended AS (
            UPDATE grouping_hash h SET issue_id = i.merged_into
            FROM issue i
            WHERE h.project_id = $1 AND h.hash = ANY ($2) AND i.project_id = h.project_id AND i.id = h.issue_id
                AND i.merged_into IS NOT NULL
        ),
        aliases AS (
            INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
            SELECT $1, nextval('hash_id_sequence'), w.hash, owner.issue_id, owner.home_issue_id
            FROM wanted w, (
                SELECT issue_id, home_issue_id FROM made
                UNION ALL
                SELECT issue_id, home_issue_id FROM found WHERE place = 1) AS owner
            WHERE w.place > 1 AND NOT EXISTS (SELECT FROM found f WHERE f.place = w.place)
                -- Frames of libraries come from the sender: the ways to an issue are bounded.
                AND (SELECT count(*) FROM grouping_hash g
                    WHERE g.project_id = $1 AND g.issue_id = owner.issue_id) < \(maxHashes)
            ORDER BY w.hash
            ON CONFLICT (project_id, hash) DO NOTHING
        ),
        number AS (
            UPDATE project_counter SET next_short_id = next_short_id + 1
            FROM made, known
            WHERE project_counter.project_id = $1 AND known.issue_id IS NULL
            RETURNING next_short_id - 1 AS short_id
        ),
        created AS (
            INSERT INTO issue (
                project_id, id, short_id, level, type, title, culprit, location, metadata, platform, logger,
                is_unhandled, first_seen, last_seen, last_seen_bucket, first_release_id)
            SELECT $1, made.issue_id, number.short_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12,
                date_bin('5 minutes', $12, timestamptz '2000-01-01 00:00:00Z'), $13
            FROM made, number
            RETURNING id
        )
        SELECT coalesce(made.id, known.hash_id) AS hash_id, created.id IS NOT NULL AS is_new_issue
        FROM known
        LEFT JOIN made ON true
        LEFT JOIN created ON true
        """,
        [
            .int8, PostgresType.bytea.array, .int2, .text, .text, .text, .text, .text, .text, .text, .bool,
            .timestamptz, .int8,
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
