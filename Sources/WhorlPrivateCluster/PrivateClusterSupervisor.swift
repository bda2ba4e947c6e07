import Logging
import ServiceLifecycle
import WhorlServices
import WhorlThreads

/// Restarts the private Postgres after an unexpected exit, such as a kill or a full disk.
package actor PrivateClusterSupervisor: Service {
    private static let interval = Duration.seconds(1)

    private let cluster: PrivateCluster
    private let logger: Logger
    private var backoff = Backoff(first: .seconds(2), longest: .seconds(30))

    package init(cluster: PrivateCluster, logger: Logger) {
        self.cluster = cluster
        self.logger = logger
    }

    package func run() async throws {
        await PeriodicService(every: Self.interval) { await self.check() }.run()
    }

    private func check() async {
        guard backoff.mayTry(at: .now), !cluster.isRunning else { return }
        logger.warning("private Postgres has exited; restarting it")
        do {
            try await cluster.start(deadline: .now + .seconds(60))
            backoff.succeeded()
            logger.notice("private Postgres is running again")
        } catch {
            backoff.failed(at: .now)
            logger.error("private Postgres does not start", metadata: ["error": "\(error)"])
        }
    }
}
