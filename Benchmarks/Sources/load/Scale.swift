import Foundation

/// Checks whether costs grow with the store: measures an empty store, fills it with some weeks of data, measures again.
///
/// The new events are copies of received ones, spread over all hashes and days, with the matching aggregates.
enum Scale {
    static func run(_ executable: String, events: Int, issues: Int) throws {
        let server = try Server(executable: executable, settings: ["WHORL_RETENTION_DAYS": "60"])
        defer { server.stop() }
        let empty = try Row.median((0..<3).map { _ in try Row(Load.typical(), server, seconds: 4, warmUp: 2) })
        print("empty store\n" + Row.table([empty]))
        let start = now()
        try server.script(filling(events: events, issues: issues))
        // The inserted events count as acknowledged.
        server.acknowledged = try server.measure().events
        print("\n\(events) events of \(issues) issues in \((now() - start) / 1_000_000_000) s")
        // After a checkpoint Postgres writes every page in full once; the warm-up excludes that.
        let full = try Row.median(
            (0..<3).map { round in try Row(Load.typical(), server, seconds: 4, warmUp: round == 0 ? 30 : 2) }
        )
        print("\nfilled store, CPU per event x \(String(format: "%.2f", full.cpu / empty.cpu))\n" + Row.table([full]))
        try reads(server)
        let size = try server.query(
            "SELECT pg_total_relation_size(relid) FROM pg_stat_user_tables WHERE relname LIKE 'event_2%' ORDER BY 1 DESC LIMIT 1"
        )
        let drop = now()
        try server.script(
            "DROP TABLE \(try server.query("SELECT min(relname) FROM pg_class WHERE relname ~ '^event_2[0-9]{7}$'"))"
        )
        print("\nretention of the oldest day: \((now() - drop) / 1_000_000) ms; the largest day takes \(size) bytes")
        try Load.check([empty, full])
    }

    /// Prints the median and the maximum of fifty reads of each kind.
    private static func reads(_ server: Server) throws {
        let token = try server.command(["token", "create", "--org", "bench", "--name", "bench"])
        let issue = try server.query(
            "SELECT issue_id FROM grouping_hash WHERE project_id = 1 ORDER BY id DESC LIMIT 1 OFFSET 100"
        )
        let paths = [
            ("issue list", "/api/0/projects/bench/bench/issues/"),
            (
                "issue list, searched",
                "/api/0/projects/bench/bench/issues/?query=is:unresolved%20level:error%20title:Fault1"
            ),
            ("issue detail", "/api/0/issues/\(issue)/"),
            ("tag values", "/api/0/issues/\(issue)/tags/checkout/values/"),
            ("tags", "/api/0/issues/\(issue)/tags/"),
            ("latest event", "/api/0/issues/\(issue)/events/latest/"),
        ]
        print("\n| read | p50 ms | slowest ms |\n| --- | --- | --- |")
        for (name, path) in paths {
            var times: [Int] = []
            for _ in 0..<50 {
                let start = now()
                guard LoadGenerator.get(path, port: server.port, token: token) == 200 else {
                    FileHandle.standardError.write(Data("\(path) did not return 200\n".utf8))
                    exit(1)
                }
                times.append(Int((now() - start) / 1_000))
            }
            times.sort()
            print(
                "| \(name) | \(String(format: "%.1f | %.1f", Double(percentile(times, 0.5)) / 1_000, Double(times[49]) / 1_000)) |"
            )
        }
    }

    private static func filling(events: Int, issues: Int) -> String {
        """
        SET synchronous_commit = off;
        SET maintenance_work_mem = '256MB';
        CREATE TEMP TABLE sample AS SELECT * FROM event WHERE project_id = 1 LIMIT 200;
        CREATE TEMP TABLE model AS SELECT * FROM issue WHERE project_id = 1 LIMIT 1;
        CREATE TEMP TABLE fresh AS
            SELECT nextval('hash_id_sequence') AS hash_id, nextval('issue_id_sequence') AS issue_id, n
            FROM generate_series(1, \(issues)) AS n;
        INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
            SELECT 1, hash_id, sha256(int8send(hash_id)), issue_id, issue_id FROM fresh;
        DO $$ DECLARE d date; BEGIN
            FOR d IN SELECT generate_series(current_date - 29, current_date - 1, '1 day')::date LOOP
                IF to_regclass('event_' || to_char(d, 'YYYYMMDD')) IS NULL THEN
                    EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%L) TO (%L)',
                        'event_' || to_char(d, 'YYYYMMDD'), d, d + 1);
                END IF;
            END LOOP;
        END $$;
        -- Few issues have most events: the number decreases with the place of the issue.
        CREATE TEMP TABLE spread AS
            SELECT n, least(\(issues), 1 + floor(\(issues) * power(random(), 3))::int) AS place,
                now() - random() * interval '29 days' AS at
            FROM generate_series(1, \(events)) AS n;
        ANALYZE;
        INSERT INTO event (project_id, event_id, received_day, received_at, occurred_at, hash_id, environment_id,
                release_id, level, user_hash, title, tags, payload_codec, payload)
            SELECT 1, gen_random_uuid(), (s.at AT TIME ZONE 'UTC')::date, s.at, s.at, f.hash_id, e.environment_id,
                e.release_id, e.level, sha256(int4send(s.n % 5000)), e.title, e.tags, e.payload_codec, e.payload
            FROM spread s
            JOIN fresh f ON f.n = s.place
            JOIN (SELECT row_number() OVER () AS k, * FROM sample) AS e ON e.k = 1 + s.n % 200;
        INSERT INTO hash_environment (project_id, hash_id, environment_id, events, first_seen, last_seen)
            SELECT e.project_id, e.hash_id, e.environment_id, count(*), min(e.occurred_at), max(e.occurred_at)
            FROM event e JOIN fresh f ON f.hash_id = e.hash_id GROUP BY 1, 2, 3;
        INSERT INTO hash_hour (project_id, hash_id, environment_id, hour, events)
            SELECT e.project_id, e.hash_id, e.environment_id, date_trunc('hour', e.received_at, 'UTC'), count(*)
            FROM event e JOIN fresh f ON f.hash_id = e.hash_id GROUP BY 1, 2, 3, 4;
        INSERT INTO hash_user (project_id, hash_id, environment_id, user_hash)
            SELECT DISTINCT e.project_id, e.hash_id, v.id, e.user_hash
            FROM event e JOIN fresh f ON f.hash_id = e.hash_id, LATERAL (VALUES (e.environment_id), (0)) AS v (id);
        INSERT INTO hash_tag (project_id, hash_id, key, day, value, environment_id, events, first_seen, last_seen)
            SELECT e.project_id, e.hash_id, split_part(t, '=', 1), e.received_day, split_part(t, '=', 2),
                e.environment_id, count(*), min(e.occurred_at), max(e.occurred_at)
            FROM event e JOIN fresh f ON f.hash_id = e.hash_id, unnest(e.tags) AS t GROUP BY 1, 2, 3, 4, 5, 6;
        INSERT INTO issue (project_id, id, short_id, level, type, title, culprit, location, metadata, platform,
                is_unhandled, first_seen, last_seen, last_seen_bucket, event_count, user_count)
            SELECT 1, f.issue_id, 1000000 + f.n, m.level, m.type, 'Fault' || f.n || ': filled', m.culprit, m.location,
                m.metadata, m.platform, m.is_unhandled, a.first_seen, a.last_seen,
                date_bin('5 minutes', a.last_seen, timestamptz '2000-01-01 00:00:00Z'), a.events, u.users
            FROM fresh f
            JOIN model m ON true
            JOIN (SELECT hash_id, sum(events) AS events, min(first_seen) AS first_seen, max(last_seen) AS last_seen
                FROM hash_environment WHERE project_id = 1 GROUP BY 1) AS a ON a.hash_id = f.hash_id
            JOIN (SELECT hash_id, count(*) AS users FROM hash_user
                WHERE project_id = 1 AND environment_id = 0 GROUP BY 1) AS u ON u.hash_id = f.hash_id;
        -- Otherwise the server would do this during the measurement.
        VACUUM (ANALYZE);
        CHECKPOINT;
        """
    }
}
