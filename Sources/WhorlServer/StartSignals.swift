import Dispatch
import Glibc
import Synchronization

/// Records a SIGTERM or SIGINT that arrives while the collector starts, so that the start ends cleanly: a private
/// Postgres that was started is stopped again.
final class StartSignals: Sendable {
    /// The error that ends the start after a signal.
    struct Stopped: Error {}

    private final class Received: Sendable {
        let value = Atomic(false)
    }

    private let received: Received
    // Created and cancelled by the one task that starts the collector.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    init() {
        let received = Received()
        self.received = received
        sources = [SIGTERM, SIGINT]
            .map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { received.value.store(true, ordering: .sequentiallyConsistent) }
                source.resume()
                return source
            }
    }

    /// Throws if a signal has arrived.
    func check() throws {
        if received.value.load(ordering: .sequentiallyConsistent) { throw Stopped() }
    }

    /// Stops handling signals, so that other code can handle them; throws if one has arrived.
    func end() throws {
        for source in sources { source.cancel() }
        try check()
    }
}
