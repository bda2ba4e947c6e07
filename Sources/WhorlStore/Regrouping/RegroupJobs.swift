import Foundation
import WhorlPostgres

/// Starts, lists, cancels and reverts the jobs that regroup stored events of a project.
package struct RegroupJobs: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// A regrouping job.
    package struct Job: Sendable {
        package let id: Int
        /// `running`, `done`, `reverting`, `reverted`, `cancelled` or `failed`.
        package let state: String
        package let since: Date
        /// The number of events with a payload when the job started.
        package let total: Int
        package let processed: Int
        package let moved: Int
        package let actor: String?
        package let error: String?
        package let createdAt: Date
        package let finishedAt: Date?

        init(_ row: PostgresRow) throws {
            id = try row.read("id")
            state = try row.read("state")
            since = try row.read("since")
            total = try row.read("total")
            processed = try row.read("processed")
            moved = try row.read("moved")
            actor = try row.readOptional("actor")
            error = try row.readOptional("error")
            createdAt = try row.read("created_at")
            finishedAt = try row.readOptional("finished_at")
        }
    }

    /// A change that can be requested for a job.
    package enum Wish: Sendable {
        /// Stop the job at its current position.
        case cancel
        /// Move all events back.
        case revert
    }

    /// Starts a job; returns nil while another job of the project is active.
    package func begin(projectID: Int, since: Date, actor: String?) async throws -> Job? {
        try await pool.execute(
            RegroupStatements.begin,
            [projectID.postgresValue, since.postgresValue, .optional(actor)],
            timeout: .seconds(20)
        )
        .first.map(Job.init)
    }

    /// The jobs of a project, newest first.
    package func list(projectID: Int) async throws -> [Job] {
        try await pool.execute(RegroupStatements.list, [projectID.postgresValue]).map(Job.init)
    }

    /// Cancels or reverts a job; returns nil when the state of the job does not allow it.
    package func ask(_ wish: Wish, projectID: Int, id: Int) async throws -> Job? {
        let (states, next) =
            switch wish {
            case .cancel: (["running"], "cancelled")
            case .revert: (["running", "done", "cancelled", "failed"], "reverting")
            }
        return
            try await pool.execute(
                RegroupStatements.ask,
                [projectID.postgresValue, id.postgresValue, .array(of: states), next.postgresValue]
            )
            .first.map(Job.init)
    }
}
