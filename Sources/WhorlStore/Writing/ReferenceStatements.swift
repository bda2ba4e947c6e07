import WhorlPostgres

/// Statements that find or create what the events of a batch refer to: hashes and issues, environments, releases.
///
/// Each statement handles the whole batch, so that the number of statements does not depend on its size.
enum ReferenceStatements {
    static let all = [findHashes, makeHashes, removeOrphans, environments, releases]

    /// The number of hashes of an issue from which on further hashes of its events are not stored.
    static let maxHashes = 200

    /// Finds hashes whose issue exists.
    ///
    /// A hash that was created for an issue while the issue was being merged is pointed to the target of the merge. In
    /// a transaction, the issues cannot be deleted until it ends.
    static let findHashes = PostgresStatement(
        "resolve_hash",
        """
        WITH wanted AS MATERIALIZED (
            SELECT DISTINCT project_id, hash FROM unnest($1, $2) AS w (project_id, hash)
        ),
        found AS MATERIALIZED (
            SELECT h.project_id, h.hash, h.id, h.home_issue_id, i.id AS issue_id, i.merged_into
            FROM wanted w
            JOIN grouping_hash h ON h.project_id = w.project_id AND h.hash = w.hash
            JOIN issue i ON i.project_id = h.project_id AND i.id = h.issue_id
            ORDER BY i.project_id, i.id
            FOR KEY SHARE OF i
        ),
        mended AS (
            UPDATE grouping_hash h SET issue_id = f.merged_into
            FROM found f
            WHERE f.merged_into IS NOT NULL AND h.project_id = f.project_id AND h.id = f.id
        )
        SELECT project_id, hash, id, coalesce(merged_into, issue_id) AS issue_id, home_issue_id FROM found
        """,
        [PostgresType.int8.array, PostgresType.bytea.array]
    )

    /// Creates issues with their leading hashes, and further hashes for these and other issues.
    ///
    /// No row is returned for a hash that another collector creates concurrently, nor for hashes that depend on it; the
    /// next attempt finds it.
    static let makeHashes = PostgresStatement(
        "resolve_hash",
        """
        WITH fresh AS MATERIALIZED (
            SELECT f.*, nextval('issue_id_sequence') AS issue_id
            FROM \(NewIssueRow.columns.unnest(as: "f"))
        ),
        founded AS (
            INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
            SELECT project_id, nextval('hash_id_sequence'), hash, issue_id, issue_id
            FROM fresh
            ORDER BY project_id, hash
            ON CONFLICT (project_id, hash) DO NOTHING
            RETURNING project_id, id, hash, issue_id
        ),
        numbers AS (
            UPDATE project_counter c SET next_short_id = c.next_short_id + n.issues
            FROM (SELECT project_id, count(*) AS issues FROM founded GROUP BY 1 ORDER BY 1) AS n
            WHERE c.project_id = n.project_id
            RETURNING c.project_id, c.next_short_id - n.issues AS first
        ),
        created AS (
            INSERT INTO issue (
                project_id, id, short_id, level, type, title, culprit, location, metadata, platform, logger,
                is_unhandled, first_seen, last_seen, last_seen_bucket, first_release_id)
            SELECT f.project_id, f.issue_id,
                n.first + row_number() OVER (PARTITION BY f.project_id ORDER BY f.issue_id) - 1,
                f.level, f.type, f.title, f.culprit, f.location, f.metadata, f.platform, f.logger, f.is_unhandled,
                f.occurred_at, f.occurred_at,
                date_bin('5 minutes', f.occurred_at, timestamptz '2000-01-01 00:00:00Z'), f.release_id
            FROM fresh f
            JOIN founded d ON d.project_id = f.project_id AND d.issue_id = f.issue_id
            JOIN numbers n ON n.project_id = f.project_id
        ),
        owned AS MATERIALIZED (
            SELECT e.project_id, e.hash, e.is_leading, coalesce(e.issue_id, d.issue_id) AS issue_id,
                coalesce(e.home_issue_id, d.issue_id) AS home_issue_id
            FROM \(FurtherHashRow.columns.unnest(as: "e"))
            LEFT JOIN founded d ON d.project_id = e.project_id AND d.hash = e.founder
        ),
        counts AS MATERIALIZED (
            -- Library frames come from the sender, so the number of hashes per issue is bounded.
            SELECT o.project_id, o.issue_id, (
                SELECT count(*) FROM grouping_hash g
                WHERE g.project_id = o.project_id AND g.issue_id = o.issue_id) AS held
            FROM (SELECT DISTINCT project_id, issue_id FROM owned WHERE issue_id IS NOT NULL AND NOT is_leading) AS o
        ),
        further AS (
            INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
            SELECT o.project_id, nextval('hash_id_sequence'), o.hash, o.issue_id, o.home_issue_id
            FROM (
                SELECT owned.*,
                    row_number() OVER (PARTITION BY project_id, issue_id ORDER BY is_leading DESC, hash) AS place
                FROM owned
                WHERE issue_id IS NOT NULL
            ) AS o
            LEFT JOIN counts c ON c.project_id = o.project_id AND c.issue_id = o.issue_id
            WHERE o.is_leading OR c.held + o.place <= \(maxHashes)
            ORDER BY o.project_id, o.hash
            ON CONFLICT (project_id, hash) DO NOTHING
            RETURNING project_id, id, hash
        )
        SELECT project_id, hash, id FROM founded
        UNION ALL
        SELECT project_id, hash, id FROM further
        """,
        NewIssueRow.columns.types + FurtherHashRow.columns.types
    )

    /// Removes hashes whose issue does not exist any more, so that they can be created again.
    ///
    /// It must be a separate statement: the statement that lost a race for a hash cannot see the winner's issue yet.
    static let removeOrphans = PostgresStatement(
        "resolve_hash",
        """
        DELETE FROM grouping_hash h
        USING unnest($1, $2) AS w (project_id, hash)
        WHERE h.project_id = w.project_id AND h.hash = w.hash
            AND NOT EXISTS (SELECT FROM issue i WHERE i.project_id = h.project_id AND i.id = h.issue_id)
        """,
        [PostgresType.int8.array, PostgresType.bytea.array]
    )

    /// The maximum number of environments of a project; new names beyond it become `__other__`, since senders choose
    /// them.
    static let maxEnvironments = 200
    /// The maximum number of releases of a project; new versions beyond it become `__other__`, for the same reason.
    static let maxReleases = 20_000

    static let environments = names("resolve_environment", table: "environment", column: "name", max: maxEnvironments)
    static let releases = names("resolve_release", table: "release", column: "version", max: maxReleases)

    /// Finds or creates names of projects; names beyond a project's limit become `__other__`.
    ///
    /// A name that another collector creates concurrently is returned without an id; the next attempt finds it.
    private static func names(_ operation: String, table: String, column: String, max: Int) -> PostgresStatement {
        PostgresStatement(
            operation,
            """
            WITH wanted AS MATERIALIZED (
                SELECT DISTINCT project_id, name FROM unnest($1, $2) AS w (project_id, name)
            ),
            known AS MATERIALIZED (
                SELECT w.project_id, w.name, t.id
                FROM wanted w
                JOIN \(table) t ON t.project_id = w.project_id AND t.\(column) = w.name
            ),
            missing AS MATERIALIZED (
                SELECT w.project_id, w.name, row_number() OVER (PARTITION BY w.project_id ORDER BY w.name) AS place
                FROM wanted w
                WHERE NOT EXISTS (SELECT FROM known k WHERE k.project_id = w.project_id AND k.name = w.name)
            ),
            counts AS MATERIALIZED (
                SELECT p.project_id, (SELECT count(*) FROM \(table) t WHERE t.project_id = p.project_id) AS held
                FROM (SELECT DISTINCT project_id FROM missing) AS p
            ),
            chosen AS MATERIALIZED (
                SELECT m.project_id, m.name AS wanted,
                    CASE WHEN c.held + m.place <= \(max) THEN m.name ELSE '__other__' END AS name
                FROM missing m
                JOIN counts c ON c.project_id = m.project_id
            ),
            made AS (
                INSERT INTO \(table) (project_id, \(column))
                SELECT DISTINCT c.project_id, c.name
                FROM chosen c
                WHERE NOT EXISTS (
                    SELECT FROM \(table) t WHERE t.project_id = c.project_id AND t.\(column) = c.name)
                ORDER BY 1, 2
                ON CONFLICT DO NOTHING
                RETURNING project_id, \(column) AS name, id
            )
            SELECT project_id, name, id FROM known
            UNION ALL
            SELECT c.project_id, c.wanted, coalesce(m.id, t.id)
            FROM chosen c
            LEFT JOIN made m ON m.project_id = c.project_id AND m.name = c.name
            LEFT JOIN \(table) t ON t.project_id = c.project_id AND t.\(column) = c.name
            """,
            [PostgresType.int8.array, PostgresType.text.array]
        )
    }
}
