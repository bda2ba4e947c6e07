import Foundation
import WhorlPostgres
import WhorlProtocol

/// Queries for the outcomes of items, from the sums per minute.
package struct OutcomeQueries: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The parameters of a query.
    package struct Request: Sendable {
        /// A property by which the sums are grouped.
        package enum Group: String, Sendable, CaseIterable {
            case outcome
            case category
            case reason
            case project

            fileprivate var name: SQLFragment {
                switch self {
                case .outcome: "outcome"
                case .category: "category"
                case .reason: "reason"
                case .project: "project"
                }
            }

            fileprivate var column: SQLFragment {
                switch self {
                case .outcome: "o.outcome"
                case .category: "o.category"
                case .reason: "o.reason"
                case .project: "o.project_id"
                }
            }
        }

        package var organizationID: Int
        package var from: Date
        package var to: Date
        /// The time between two points of the series, in seconds.
        package var interval: Int
        package var groups: [Group] = []
        package var projects: [Int] = []
        package var categories: [String] = []
        package var outcomes: [String] = []
        package var reasons: [String] = []

        package init(organizationID: Int, from: Date, to: Date, interval: Int) {
            self.organizationID = organizationID
            self.from = from
            self.to = to
            self.interval = interval
        }
    }

    /// The sum of one group at one point of the series.
    package struct Sum: Sendable {
        package let at: Date
        /// The values of the properties by which the sums are grouped.
        package let group: [Request.Group: String]
        package let quantity: Int
    }

    package func sums(_ request: Request) async throws -> [Sum] {
        let columns = request.groups.map { ", \($0.column)::text AS \($0.name)" as SQLFragment }.joined(separator: "")
        let groups = request.groups.map { ", \($0.column)" as SQLFragment }.joined(separator: "")
        var conditions: SQLFragment = ""
        if !request.projects.isEmpty { conditions += " AND o.project_id = ANY (\(.array(of: request.projects)))" }
        if !request.categories.isEmpty { conditions += " AND o.category = ANY (\(.array(of: request.categories)))" }
        if !request.outcomes.isEmpty { conditions += " AND o.outcome = ANY (\(.array(of: request.outcomes)))" }
        if !request.reasons.isEmpty { conditions += " AND o.reason = ANY (\(.array(of: request.reasons)))" }
        let sql: SQLFragment = """
            SELECT date_bin(make_interval(secs => \(Double(request.interval))), o.minute, \(request.from)) AS at,
                sum(o.quantity)::int8 AS quantity\(columns)
            FROM outcome o
            JOIN project p ON p.id = o.project_id
            WHERE p.organization_id = \(request.organizationID)
                AND o.minute >= \(request.from) AND o.minute < \(request.to)\(conditions)
            GROUP BY at\(groups)
            ORDER BY at
            LIMIT 200000
            """
        return try await pool.execute(sql, operation: "outcomes")
            .map { row in
                var group: [Request.Group: String] = [:]
                for name in request.groups { group[name] = try row.read(name.rawValue) }
                return Sum(at: try row.read("at"), group: group, quantity: try row.read("quantity"))
            }
    }

    /// A dropped event that is still on record.
    package struct DroppedEvent: Sendable {
        package let project: String
        package let at: Date
        package let outcome: String
        package let reason: String
    }

    package func dropped(_ id: EventID, organizationID: Int) async throws -> DroppedEvent? {
        try await pool.execute(OutcomeStatements.findDropped, [organizationID.postgresValue, id.uuid.postgresValue])
            .first
            .map { row in
                DroppedEvent(
                    project: try row.read("project"),
                    at: try row.read("dropped_at"),
                    outcome: try row.read("outcome"),
                    reason: try row.read("reason")
                )
            }
    }
}
