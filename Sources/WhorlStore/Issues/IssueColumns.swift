import WhorlPostgres

/// The columns that ``Issue`` reads, and the tables that contain them.
///
/// `s` holds the statistics: those of the whole issue, or those of the selected environments.
enum IssueColumns {
    static let list: SQLFragment = """
        i.id, i.project_id, i.short_id, i.status, i.substatus, i.level, i.type, i.title, i.culprit, i.location,
            i.metadata, i.platform, i.logger, i.is_unhandled, s.first_seen, s.last_seen, s.events, s.users,
            p.slug AS project, p.name AS project_name, p.platform AS project_platform, o.slug AS organization,
            fr.version AS first_release, lr.version AS last_release
        """

    static let tables: SQLFragment = """
        FROM issue i
        JOIN project p ON p.id = i.project_id
        JOIN organization o ON o.id = p.organization_id
        LEFT JOIN release fr ON fr.project_id = i.project_id AND fr.id = i.first_release_id
        LEFT JOIN release lr ON lr.project_id = i.project_id AND lr.id = i.last_release_id
        """

    /// The statistics over all environments.
    static let totals: SQLFragment =
        "SELECT i.first_seen, i.last_seen, i.event_count AS events, i.user_count AS users"

    /// The statistics over the given environments.
    static func totals(of environments: [String]) -> SQLFragment {
        let names = PostgresValue.array(of: environments)
        return """
            SELECT min(n.first_seen) AS first_seen, max(n.last_seen) AS last_seen,
                coalesce(sum(n.events), 0)::int8 AS events, (
                    SELECT count(DISTINCT u.user_hash)
                    FROM hash_user u
                    JOIN grouping_hash uh ON uh.project_id = u.project_id AND uh.id = u.hash_id
                    JOIN environment ue ON ue.project_id = u.project_id AND ue.id = u.environment_id
                    WHERE uh.project_id = i.project_id AND uh.issue_id = i.id AND ue.name = ANY (\(names))) AS users
            FROM hash_environment n
            JOIN grouping_hash h ON h.project_id = n.project_id AND h.id = n.hash_id
            JOIN environment v ON v.project_id = n.project_id AND v.id = n.environment_id
            WHERE h.project_id = i.project_id AND h.issue_id = i.id AND v.name = ANY (\(names))
            """
    }
}
