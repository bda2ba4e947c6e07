import Logging
import ServiceLifecycle
import WhorlServices
import WhorlThreads

/// Starts the private Postgres again when it has ended by itself: killed, or after its disk was full.
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
        logger.warning("private Postgres has ended; it is started again")
        do {
            try await cluster.start(deadline: .now + .seconds(60))
            backoff.succeeded()
            logger.notice("private Postgres runs again")
        } catch {
            backoff.failed(at: .now)
            logger.error("private Postgres does not start", metadata: ["error": "\(error)"])
        }
    }
}
