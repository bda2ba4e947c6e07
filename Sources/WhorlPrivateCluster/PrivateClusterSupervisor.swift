import Logging
import ServiceLifecycle

/// Starts the private Postgres again when it has ended by itself: killed, or after its disk was full.
package struct PrivateClusterSupervisor: Service {
    private static let interval = Duration.seconds(1)
    private static let longestDelay = Duration.seconds(30)

    private let cluster: PrivateCluster
    private let logger: Logger

    package init(cluster: PrivateCluster, logger: Logger) {
        self.cluster = cluster
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var delay = Self.interval
            while !Task.isCancelled {
                try? await Task.sleep(for: delay)
                guard !Task.isCancelled, !cluster.isRunning else {
                    delay = Self.interval
                    continue
                }
                logger.warning("private Postgres has ended; it is started again")
                do {
                    try await cluster.start(deadline: .now + .seconds(60))
                    delay = Self.interval
                    logger.notice("private Postgres runs again")
                } catch {
                    delay = min(delay * 2, Self.longestDelay)
                    logger.error("private Postgres does not start", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
