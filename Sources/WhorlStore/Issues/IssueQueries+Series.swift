import Foundation
import WhorlPostgres

extension IssueQueries {
    /// The number of events per step for each issue, oldest first, with zeros in gaps; a step is a whole number of
    /// hours.
    package func series(
        _ issues: [(projectID: Int, id: Int)],
        from: Date,
        steps: Int,
        step: TimeInterval,
        environments: [String]
    ) async throws -> [Int: [Int]] {
        guard !issues.isEmpty, steps > 0 else { return [:] }
        var result = Dictionary(uniqueKeysWithValues: issues.map { ($0.id, [Int](repeating: 0, count: steps)) })
        let rows = try await pool.execute(
            IssueSeriesStatements.series,
            [
                .array(of: issues.map(\.projectID)), .array(of: issues.map(\.id)), from.postgresValue,
                from.addingTimeInterval(Double(steps) * step).postgresValue, .array(of: environments),
            ]
        )
        for row in rows {
            let hour = try row.read("hour", as: Date.self)
            let index = Int((hour.timeIntervalSince(from) / step).rounded(.down))
            guard (0..<steps).contains(index) else { continue }
            result[try row.read("issue_id"), default: []][index] += try row.read("events")
        }
        return result
    }
}

enum IssueSeriesStatements {
    static let all = [series]

    static let series = PostgresStatement(
        "issue_series",
        """
        SELECT w.issue_id, n.hour, sum(n.events)::int8 AS events
        FROM unnest($1, $2) AS w (project_id, issue_id)
        JOIN grouping_hash h ON h.project_id = w.project_id AND h.issue_id = w.issue_id
        JOIN hash_hour n ON n.project_id = h.project_id AND n.hash_id = h.id
        WHERE n.hour >= $3 AND n.hour < $4 AND (cardinality($5) = 0 OR n.environment_id IN (
            SELECT v.id FROM environment v WHERE v.project_id = n.project_id AND v.name = ANY ($5)))
        GROUP BY 1, 2
        """,
        [PostgresType.int8.array, PostgresType.int8.array, .timestamptz, .timestamptz, PostgresType.text.array]
    )
}
