import Foundation
import Testing
import WhorlPostgres
import WhorlProtocol
import WhorlTestSupport

@testable import WhorlStore

/// Checks that frequent reads of a large store use an index and never scan a whole table.
@Suite("Query plans")
struct PlanTests {
    /// Index and table scans since the start; indexes of partitions count under the name of their parent.
    private static let uses: SQLFragment = """
        SELECT coalesce(parent.relname, own.relname) AS name, coalesce(sum(s.idx_scan), 0)::int8 AS scans
        FROM pg_stat_user_indexes s
        JOIN pg_class own ON own.oid = s.indexrelid
        LEFT JOIN pg_inherits i ON i.inhrelid = s.indexrelid
        LEFT JOIN pg_class parent ON parent.oid = i.inhparent
        GROUP BY 1
        UNION ALL
        SELECT 'whole table ' || CASE WHEN relname LIKE 'event\\_2%' THEN 'event' ELSE relname END, sum(seq_tup_read)::int8
        FROM pg_stat_user_tables
        WHERE relname IN ('issue', 'grouping_hash', 'hash_tag', 'hash_hour', 'hash_environment', 'hash_user')
            OR relname LIKE 'event\\_2%'
        GROUP BY 1
        """

    @Test("Frequent reads use their indexes and scan no large table")
    func plans() async throws {
        let configuration = PostgresPoolConfiguration(size: 1, timeout: .seconds(60), session: "SET jit = off")
        try await withPool(configuration: configuration) { pool, url in
            let connection = try await PostgresConnection.connect(url, deadline: .now + .seconds(10))
            try await Partitions(pool: pool).createAhead(of: Date())
            try await connection.script(Self.filling, deadline: .now + .seconds(60))
            func scans() async throws -> [String: Int] {
                _ = try await pool.execute(SQLFragment("SELECT pg_stat_force_next_flush()"), operation: "test")
                _ = try await pool.execute(SQLFragment("SELECT 1 AS one"), operation: "test")
                var counts: [String: Int] = [:]
                for row in try await pool.execute(Self.uses, operation: "test") {
                    counts[try row.read("name")] = try row.read("scans")
                }
                return counts
            }
            func expect(
                _ indexes: Set<String>,
                _ name: String,
                location: SourceLocation = #_sourceLocation,
                _ read: () async throws -> Void
            ) async throws {
                let before = try await scans()
                try await read()
                let after = try await scans()
                let used = Set(after.filter { $0.value > before[$0.key, default: 0] }.keys)
                #expect(indexes.isSubset(of: used), "\(name) used \(used.sorted())", sourceLocation: location)
                let whole = used.filter { $0.hasPrefix("whole table") }
                #expect(whole.isEmpty, "\(name) used \(used.sorted())", sourceLocation: location)
            }
            let codec = try PayloadCodec(pool: pool)
            let issues = IssueQueries(pool: pool)
            let events = EventQueries(pool: pool, codec: codec)
            let tags = TagQueries(pool: pool)
            let id = try #require(EventID("00000000000000000000000000000008"))
            try await expect(["issue_list"], "issue list") {
                let page = try await issues.list(.init(projectIDs: [1], query: SearchQuery("is:unresolved")))
                #expect(page.elements.count == 100)
            }
            try await expect(["issue_pkey"], "issue") { _ = try await issues.issue(id: 8, organizationID: 1) }
            try await expect(["event_pkey"], "event") { _ = try await events.event(id, projectID: 1) }
            try await expect(["event_by_hash", "grouping_hash_issue"], "latest event") {
                _ = try await events.end(ofIssue: 8, projectID: 1, newest: true)
            }
            try await expect(["event_by_hash", "grouping_hash_issue"], "events of an issue") {
                _ = try await events.list(.issue(projectID: 1, id: 8), cursor: nil, limit: 50)
            }
            try await expect(["event_by_time"], "events of a project") {
                _ = try await events.list(.project(1), cursor: nil, limit: 50)
            }
            try await expect(["hash_tag_pkey", "grouping_hash_issue"], "tag values") {
                _ = try await tags.values(projectID: 1, issueID: 8, key: "browser", limit: 100)
            }
            try await expect(["hash_tag_pkey", "grouping_hash_issue"], "tags") {
                _ = try await tags.keys(projectID: 1, issueID: 8)
            }
            await connection.close()
        }
    }

    private static let filling = """
        INSERT INTO organization (slug, name) VALUES ('o', 'o');
        INSERT INTO project (organization_id, slug, name) VALUES (1, 'p', 'p'), (1, 'q', 'q');
        INSERT INTO environment (project_id, name) VALUES (1, 'production'), (2, 'production');
        INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
            SELECT 1 + n % 2, n, sha256(int4send(n)), n, n FROM generate_series(1, 6000) AS n;
        INSERT INTO issue (project_id, id, short_id, level, type, title, culprit, metadata, platform, is_unhandled,
                first_seen, last_seen, last_seen_bucket, event_count, user_count)
            SELECT 1 + n % 2, n, n, 4, 'error', 'Fault' || n, '', '{}', 'python', false, now(), s.at,
                date_bin('5 minutes', s.at, timestamptz '2000-01-01 00:00:00Z'), 5, 1
            FROM generate_series(1, 6000) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS at) AS s;
        INSERT INTO event (project_id, event_id, received_day, received_at, occurred_at, hash_id, environment_id, level,
                title, tags, payload_codec, payload)
            SELECT 1 + n % 6000 % 2, lpad(to_hex(n), 32, '0')::uuid, (now() AT TIME ZONE 'UTC')::date - n % 2, now(),
                now() - n * interval '1 second', 1 + n % 6000, e.id, 4, 'Fault', '{browser=x}', -1, ''
            FROM generate_series(1, 40000) AS n
            JOIN environment e ON e.project_id = 1 + n % 6000 % 2;
        INSERT INTO hash_tag (project_id, hash_id, key, day, value, environment_id, events, first_seen, last_seen)
            SELECT h.project_id, h.id, k, current_date, 'v' || v, e.id, 1, now(), now()
            FROM grouping_hash h
            JOIN environment e ON e.project_id = h.project_id, unnest('{browser,os,region}'::text[]) AS k,
                generate_series(1, 3) AS v;
        ANALYZE
        """
}
