import Foundation
import WhorlProtocol
import WhorlStore

/// The statistics of received items by outcome: accepted, filtered, over a limit, invalid, dropped by clients.
enum StatsRoutes {
    /// Maximum number of points of a series; if there are more, the interval is too short for the time window.
    private static let maxPoints = 2_000

    static let endpoints = [
        Endpoint(
            .get,
            "/organizations/{organization}/stats_v2/",
            scope: "org:read",
            "The number of items by outcome, over time.",
            query: [
                "field", "groupBy", "interval", "statsPeriod", "start", "end", "project", "category", "outcome",
                "reason",
            ],
            answer: .one("Stats")
        ) { request in
            let organization = try await request.organization()
            let field = request.first("field") ?? "sum(quantity)"
            guard field == "sum(quantity)" || field == "sum(times_seen)" else {
                throw APIError.badRequest("Invalid field: \(field.prefix(60))")
            }
            let query = try query(request, organization)
            return .json(StatsShape.json(try await request.services.outcomes.sums(query), query, field: field))
        }
    ]

    private static func query(_ request: APIRequest, _ organization: Organization) throws -> OutcomeQueries.Request {
        let now = Date()
        let window = try request.window(now: now) ?? (now.addingTimeInterval(-86_400), now)
        let text = request.first("interval") ?? "1h"
        guard let span = timeSpan(text), span >= 60, let interval = Int(exactly: span) else {
            throw APIError.badRequest("Invalid interval: \(text.prefix(20))")
        }
        // Uses whole intervals, so that the same request a little later returns the same points.
        let from = (window.from.timeIntervalSince1970 / span).rounded(.down) * span
        let to = (window.to.timeIntervalSince1970 / span).rounded(.up) * span
        guard (to - from) / span <= Double(maxPoints) else {
            throw APIError.badRequest("The interval is too short for the time: at most \(maxPoints) points")
        }
        var query = OutcomeQueries.Request(
            organizationID: organization.id,
            from: Date(timeIntervalSince1970: from),
            to: Date(timeIntervalSince1970: to),
            interval: interval
        )
        for name in request.all("groupBy") {
            guard let group = OutcomeQueries.Request.Group(rawValue: name) else {
                throw APIError.badRequest("Invalid groupBy: \(name.prefix(40))")
            }
            if !query.groups.contains(group) { query.groups.append(group) }
        }
        query.projects = request.all("project").compactMap { Int(digits: $0) }
        query.categories = request.all("category")
        query.outcomes = request.all("outcome")
        query.reasons = request.all("reason")
        return query
    }
}

/// The response of `stats_v2` (protocol facts, section 7.2).
enum StatsShape {
    static func json(_ sums: [OutcomeQueries.Sum], _ query: OutcomeQueries.Request, field: String) -> JSON {
        let start = query.from.timeIntervalSince1970
        let points = Int((query.to.timeIntervalSince1970 - start) / Double(query.interval))
        var groups: [[OutcomeQueries.Request.Group: String]: [Int]] = [:]
        for sum in sums {
            let place = Int((sum.at.timeIntervalSince1970 - start) / Double(query.interval))
            guard (0..<points).contains(place) else { continue }
            groups[sum.group, default: Array(repeating: 0, count: points)][place] += sum.quantity
        }
        let shown = groups.map { group, series -> JSON in
            let by = query.groups.map { name -> (key: String, value: JSON) in
                let value = group[name] ?? ""
                // Clients expect the project as a number.
                return (name.rawValue, name == .project ? .int(Int(value) ?? 0) : .string(value))
            }
            return [
                "by": .object(by), "totals": .object([(field, .int(series.reduce(0, +)))]),
                "series": .object([(field, .array(series.map(JSON.int)))]),
            ]
        }
        let intervals = (0..<points)
            .map { place in
                JSON.string(Timestamp.format(query.from.addingTimeInterval(Double(place * query.interval))))
            }
        return [
            "start": .string(Timestamp.format(query.from)), "end": .string(Timestamp.format(query.to)),
            "intervals": .array(intervals), "groups": .array(shown.sorted { $0.text < $1.text }),
        ]
    }
}
