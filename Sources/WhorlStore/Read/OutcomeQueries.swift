import Foundation
import WhorlPostgres
import WhorlProtocol

/// What became of items, read from the sums per minute.
package struct OutcomeQueries: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// What is asked for.
    package struct Request: Sendable {
        /// Which member of an outcome tells groups apart.
        package enum Group: String, Sendable, CaseIterable {
            case outcome
            case category
            case reason
            case project
        }

        package var organizationID: Int
        package var from: Date
        package var to: Date
        /// The length of a point of the series, in seconds.
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

    /// A sum within one point of a series.
    package struct Sum: Sendable {
        package let at: Date
        /// By the name of the group's member.
        package let group: [Request.Group: String]
        package let quantity: Int
    }

    package func sums(_ request: Request) async throws -> [Sum] {
        var sql = SQLFragment("SELECT date_bin(make_interval(secs => ")
        sql.bind(Double(request.interval))
        sql.append("), o.minute, ")
        sql.bind(request.from)
        sql.append(") AS at, sum(o.quantity)::int8 AS quantity")
        for group in request.groups {
            switch group {
            case .outcome: sql.append(", o.outcome AS outcome")
            case .category: sql.append(", o.category AS category")
            case .reason: sql.append(", o.reason AS reason")
            case .project: sql.append(", o.project_id::text AS project")
            }
        }
        sql.append(
            """
             FROM outcome o JOIN project p ON p.id = o.project_id
            WHERE p.organization_id =
            """
        )
        sql.append(" ")
        sql.bind(request.organizationID)
        sql.append(" AND o.minute >= ")
        sql.bind(request.from)
        sql.append(" AND o.minute < ")
        sql.bind(request.to)
        if !request.projects.isEmpty {
            sql.append(" AND o.project_id = ANY (")
            sql.bind(.array(of: request.projects))
            sql.append(")")
        }
        if !request.categories.isEmpty {
            sql.append(" AND o.category = ANY (")
            sql.bind(.array(of: request.categories))
            sql.append(")")
        }
        if !request.outcomes.isEmpty {
            sql.append(" AND o.outcome = ANY (")
            sql.bind(.array(of: request.outcomes))
            sql.append(")")
        }
        if !request.reasons.isEmpty {
            sql.append(" AND o.reason = ANY (")
            sql.bind(.array(of: request.reasons))
            sql.append(")")
        }
        sql.append(" GROUP BY at")
        for group in request.groups {
            switch group {
            case .outcome: sql.append(", o.outcome")
            case .category: sql.append(", o.category")
            case .reason: sql.append(", o.reason")
            case .project: sql.append(", o.project_id")
            }
        }
        sql.append(" ORDER BY at LIMIT 200000")
        return try await pool.execute(sql, operation: "outcomes")
            .map { row in
                var group: [Request.Group: String] = [:]
                for name in request.groups { group[name] = try row.read(name.rawValue) }
                return Sum(at: try row.read("at"), group: group, quantity: try row.read("quantity"))
            }
    }

    /// An event that was not kept, while it is remembered.
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
