import Foundation
import WhorlProtocol
import WhorlStore

/// Events of issues over time, in the intervals of Sentry: 24 hours by hour, 14 days by day.
enum IssueSeries {
    /// The number of steps of a period, and the length of a step in seconds.
    private static func shape(_ period: String) throws -> (steps: Int, step: TimeInterval) {
        switch period {
        case "24h": (24, 3_600)
        case "14d": (14, 86_400)
        case "30d": (30, 86_400)
        default: throw APIError.badRequest("Invalid statsPeriod: allowed are 24h, 14d and 30d")
        }
    }

    /// `[[time, count], …]` for each issue.
    static func points(
        _ issues: [Issue],
        period: String,
        environments: [String],
        _ queries: IssueQueries,
        now: Date
    ) async throws -> [Int: JSON] {
        let (steps, step) = try shape(period)
        // The last step is the current one, which is not over yet.
        let last = (now.timeIntervalSince1970 / step).rounded(.down) * step
        let from = Date(timeIntervalSince1970: last - Double(steps - 1) * step)
        let counts = try await queries.series(
            issues.map { ($0.projectID, $0.id) },
            from: from,
            steps: steps,
            step: step,
            environments: environments
        )
        return counts.mapValues { values in
            .array(
                values.enumerated()
                    .map { index, count in
                        [.int(Int(from.timeIntervalSince1970) + index * Int(step)), .int(count)]
                    }
            )
        }
    }

    /// The `stats` of the issues in a list, for the period in `groupStatsPeriod`; 24 hours by default.
    static func of(_ issues: [Issue], _ request: APIRequest, now: Date) async throws -> [Int: JSON] {
        guard !issues.isEmpty else { return [:] }
        var period = request.first("groupStatsPeriod") ?? "24h"
        if period.isEmpty || period == "auto" { period = "24h" }
        let points = try await points(
            issues,
            period: period,
            environments: request.environments(),
            request.services.issues,
            now: now
        )
        return points.mapValues { .object([(period, $0)]) }
    }
}
