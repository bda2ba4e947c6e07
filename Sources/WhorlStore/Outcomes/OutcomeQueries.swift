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

            fileprivate var name: StaticString {
                switch self {
                case .outcome: "outcome"
                case .category: "category"
                case .reason: "reason"
                case .project: "project"
                }
            }

            fileprivate var column: StaticString {
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
            sql.append(", ")
            sql.append(group.column)
            sql.append("::text AS ")
            sql.append(group.name)
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
        if !request.projects.isEmpty { sql.restrict(Request.Group.project, .array(of: request.projects)) }
        if !request.categories.isEmpty { sql.restrict(Request.Group.category, .array(of: request.categories)) }
        if !request.outcomes.isEmpty { sql.restrict(Request.Group.outcome, .array(of: request.outcomes)) }
        if !request.reasons.isEmpty { sql.restrict(Request.Group.reason, .array(of: request.reasons)) }
        sql.append(" GROUP BY at")
        for group in request.groups {
            sql.append(", ")
            sql.append(group.column)
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

extension SQLFragment {
    /// Keeps rows whose member has one of the values.
    fileprivate mutating func restrict(_ group: OutcomeQueries.Request.Group, _ values: PostgresValue) {
        append(" AND ")
        append(group.column)
        append(" = ANY (")
        bind(values)
        append(")")
    }
}
