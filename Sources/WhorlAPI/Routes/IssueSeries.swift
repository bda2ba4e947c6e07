import Foundation
import WhorlProtocol
import WhorlStore

/// Events of issues over time, as Sentry draws them: 24 hours by the hour, 14 days by the day.
enum IssueSeries {
    /// The name of a period, how many steps it has, and how long a step is.
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
        // The last step is the one that is under way.
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

    /// The `stats` of a list: the period that `groupStatsPeriod` names, 24 hours when it names none.
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
