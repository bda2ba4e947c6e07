import WhorlPostgres

/// The statements that move the counts of a page's events from one hash to another.
///
/// All counts are subtracted before any are added, since a hash may be both source and target.
enum RegroupCounting {
    static let statements = [
        outOfEnvironments, outOfHours, outOfTags, outOfUsers, intoEnvironments, intoHours, intoTags, intoUsers,
    ]
    static let all = statements

    /// The events of the page with their source and target hashes; `$4` reverses the direction.
    private static let page = """
        WITH page AS MATERIALIZED (
            SELECT CASE WHEN $4 THEN r.to_hash_id ELSE r.from_hash_id END AS source,
                CASE WHEN $4 THEN r.from_hash_id ELSE r.to_hash_id END AS target,
                e.environment_id, e.occurred_at, e.received_at, e.received_day, e.user_hash, e.tags
            FROM regroup_move r
            JOIN event e ON e.project_id = r.project_id AND e.event_id = r.event_id AND e.received_day = r.received_day
            WHERE r.project_id = $1 AND r.job_id = $2 AND r.batch = $3
        )
        """
    private static let types: [PostgresType] = [.int8, .int8, .int8, .bool]

    static let outOfEnvironments = PostgresStatement(
        "regroup",
        """
        \(page),
        gone AS (
            UPDATE hash_environment n SET events = n.events - m.events
            FROM (SELECT source, environment_id, count(*) AS events FROM page GROUP BY 1, 2) AS m
            WHERE n.project_id = $1 AND n.hash_id = m.source AND n.environment_id = m.environment_id
                AND n.events > m.events
            RETURNING n.hash_id, n.environment_id
        )
        DELETE FROM hash_environment n
        USING (SELECT source, environment_id, count(*) AS events FROM page GROUP BY 1, 2) AS m
        WHERE n.project_id = $1 AND n.hash_id = m.source AND n.environment_id = m.environment_id
            AND n.events <= m.events
        """,
        types
    )

    static let outOfHours = PostgresStatement(
        "regroup",
        """
        \(page),
        hours AS (
            SELECT source, environment_id, date_trunc('hour', received_at, 'UTC') AS hour, count(*) AS events
            FROM page GROUP BY 1, 2, 3
        ),
        gone AS (
            UPDATE hash_hour n SET events = n.events - m.events
            FROM hours m
            WHERE n.project_id = $1 AND n.hash_id = m.source AND n.environment_id = m.environment_id
                AND n.hour = m.hour AND n.events > m.events
        )
        DELETE FROM hash_hour n USING hours m
        WHERE n.project_id = $1 AND n.hash_id = m.source AND n.environment_id = m.environment_id AND n.hour = m.hour
            AND n.events <= m.events
        """,
        types
    )

    /// Values beyond the limit are counted as `__other__`.
    static let outOfTags = PostgresStatement(
        "regroup",
        """
        \(page),
        parts AS (
            SELECT source, received_day, environment_id, split_part(tag, '=', 1) AS key,
                substr(tag, strpos(tag, '=') + 1) AS value
            FROM page, unnest(tags) AS tag
        ),
        counted AS (
            SELECT p.source, p.key, p.received_day, p.environment_id,
                CASE WHEN EXISTS (
                    SELECT FROM hash_tag t
                    WHERE t.project_id = $1 AND t.hash_id = p.source AND t.key = p.key AND t.day = p.received_day
                        AND t.value = p.value AND t.environment_id = p.environment_id)
                THEN p.value ELSE '__other__' END AS value, count(*) AS events
            FROM parts p
            GROUP BY 1, 2, 3, 4, 5
        ),
        gone AS (
            UPDATE hash_tag n SET events = n.events - m.events
            FROM counted m
            WHERE n.project_id = $1 AND n.hash_id = m.source AND n.key = m.key AND n.day = m.received_day
                AND n.value = m.value AND n.environment_id = m.environment_id AND n.events > m.events
        )
        DELETE FROM hash_tag n USING counted m
        WHERE n.project_id = $1 AND n.hash_id = m.source AND n.key = m.key AND n.day = m.received_day
            AND n.value = m.value AND n.environment_id = m.environment_id AND n.events <= m.events
        """,
        types
    )

    /// Removes users who have no other event under the hash; environment 0 stands for all environments.
    ///
    /// Hashes with 50,000 or more events are skipped, because the search would delay events that arrive. Their former
    /// users remain counted there.
    static let outOfUsers = PostgresStatement(
        "regroup",
        """
        \(page)
        DELETE FROM hash_user u
        USING (
            SELECT DISTINCT p.source, v.environment_id, p.user_hash
            FROM page p, LATERAL (VALUES (p.environment_id), (0::int8)) AS v (environment_id)
            WHERE p.user_hash IS NOT NULL
        ) AS m
        WHERE u.project_id = $1 AND u.hash_id = m.source AND u.environment_id = m.environment_id
            AND u.user_hash = m.user_hash
            AND (SELECT sum(n.events) FROM hash_environment n WHERE n.project_id = $1 AND n.hash_id = m.source) < 50000
            AND NOT EXISTS (
                SELECT FROM event e
                WHERE e.project_id = $1 AND e.hash_id = m.source AND e.user_hash = m.user_hash
                    AND (m.environment_id = 0 OR e.environment_id = m.environment_id))
        """,
        types
    )

    static let intoEnvironments = PostgresStatement(
        "regroup",
        """
        \(page)
        INSERT INTO hash_environment (project_id, hash_id, environment_id, events, first_seen, last_seen)
        SELECT $1, target, environment_id, count(*), min(occurred_at), max(occurred_at)
        FROM page
        GROUP BY 2, 3
        ORDER BY 2, 3
        ON CONFLICT (project_id, hash_id, environment_id) DO UPDATE SET
            events = hash_environment.events + excluded.events,
            first_seen = least(hash_environment.first_seen, excluded.first_seen),
            last_seen = greatest(hash_environment.last_seen, excluded.last_seen)
        """,
        types
    )

    static let intoHours = PostgresStatement(
        "regroup",
        """
        \(page)
        INSERT INTO hash_hour (project_id, hash_id, environment_id, hour, events)
        SELECT $1, target, environment_id, date_trunc('hour', received_at, 'UTC'), count(*)
        FROM page
        GROUP BY 2, 3, 4
        ORDER BY 2, 3, 4
        ON CONFLICT (project_id, hash_id, environment_id, hour) DO UPDATE SET
            events = hash_hour.events + excluded.events
        """,
        types
    )

    static let intoTags = PostgresStatement(
        "regroup",
        """
        \(page)
        INSERT INTO hash_tag (project_id, hash_id, key, day, value, environment_id, events, first_seen, last_seen)
        SELECT $1, p.target, p.key, p.received_day,
            CASE WHEN EXISTS (
                    SELECT FROM hash_tag t
                    WHERE t.project_id = $1 AND t.hash_id = p.target AND t.key = p.key AND t.day = p.received_day
                        AND t.value = p.value)
                OR (SELECT count(DISTINCT t.value) FROM hash_tag t
                    WHERE t.project_id = $1 AND t.hash_id = p.target AND t.key = p.key AND t.day = p.received_day)
                    < \(TagBacklogStatements.maxTagValues)
            THEN p.value ELSE '__other__' END,
            p.environment_id, count(*), min(p.occurred_at), max(p.occurred_at)
        FROM (
            SELECT page.*, split_part(tag, '=', 1) AS key, substr(tag, strpos(tag, '=') + 1) AS value
            FROM page, unnest(tags) AS tag
        ) AS p
        GROUP BY 2, 3, 4, 5, 6
        ORDER BY 2, 3, 4, 5, 6
        ON CONFLICT (project_id, hash_id, key, day, value, environment_id) DO UPDATE SET
            events = hash_tag.events + excluded.events,
            first_seen = least(hash_tag.first_seen, excluded.first_seen),
            last_seen = greatest(hash_tag.last_seen, excluded.last_seen)
        """,
        types
    )

    static let intoUsers = PostgresStatement(
        "regroup",
        """
        \(page)
        INSERT INTO hash_user (project_id, hash_id, environment_id, user_hash)
        SELECT DISTINCT $1, p.target, v.environment_id, p.user_hash
        FROM page p, LATERAL (VALUES (p.environment_id), (0::int8)) AS v (environment_id)
        WHERE p.user_hash IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        types
    )
}
