import Logging
import ServiceLifecycle
import WhorlPostgres

/// Starts the private Postgres again when it has ended by itself: killed, or after its disk was full.
struct ClusterKeeper: Service {
    private static let interval = Duration.seconds(1)
    private static let longestDelay = Duration.seconds(30)

    let cluster: PrivateCluster
    let logger: Logger

    func run() async throws {
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
