import Dispatch
import Glibc
import Synchronization

/// Remembers a SIGTERM or SIGINT that comes while the collector starts, so that the start ends in order: a private
/// Postgres that was started is stopped again.
final class StartSignals: Sendable {
    /// A signal asked for the end of the start.
    struct Stopped: Error {}

    private final class Received: Sendable {
        let value = Atomic(false)
    }

    private let received: Received
    // Made and cancelled by the one task that starts the collector.
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

    /// Throws when a signal came.
    func check() throws {
        if received.value.load(ordering: .sequentiallyConsistent) { throw Stopped() }
    }

    /// Hands the signals over to somebody else; throws when one came before.
    func end() throws {
        for source in sources { source.cancel() }
        try check()
    }
}
