import Logging
import ServiceLifecycle
import WhorlIngest
import WhorlServices
import WhorlStore

/// Creates the counters of known projects and environments at zero, also for projects that are created later.
///
/// Another collector or a command may create projects, so the list is read repeatedly while the collector runs.
struct MetricPreloader: Service {
    /// Maximum number of pairs of project and environment that are read.
    private static let limit = 20_000
    private static let interval = Duration.seconds(15)

    let queries: MetricsQueries
    let events: EventMetrics
    let logger: Logger

    func load() async throws {
        for pair in try await queries.pairs(limit: Self.limit) {
            let project = events.project(organization: pair.organization, project: pair.project)
            if let environment = pair.environment { project.preload(environment: environment) }
        }
    }

    func run() async throws {
        await PeriodicService(every: Self.interval) {
            do {
                try await load()
            } catch {
                logger.debug("cannot read the known projects", metadata: ["db.error": "\(error)"])
            }
        }
        .run()
    }
}
