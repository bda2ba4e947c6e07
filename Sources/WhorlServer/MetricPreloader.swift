import Logging
import ServiceLifecycle
import WhorlIngest
import WhorlServices
import WhorlStore

/// Lets the counters of known projects and environments begin at zero, and those of projects that appear later.
///
/// Projects may be made by another collector or by a command, so the list is read again while the collector runs.
struct MetricPreloader: Service {
    /// Pairs of project and environment that are read.
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
                logger.debug("known projects not read", metadata: ["db.error": "\(error)"])
            }
        }
        .run()
    }
}
