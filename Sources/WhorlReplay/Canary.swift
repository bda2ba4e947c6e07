import Foundation
import Logging
import ServiceLifecycle
import WhorlIngest
import WhorlProcessing
import WhorlProtocol
import WhorlServices
import WhorlStore
import WhorlTelemetry

/// A self-test that sends an event through the whole pipeline every minute and then looks for it in the database.
///
/// It is the only check that shows that events arrive, whatever state the components report. The events belong to a
/// separate project that has no key and appears in no list.
package struct Canary: Service {
    /// The project id of the events; the ids of other projects start at 1.
    static let projectID = 0

    private let sink: EventSink
    private let events: EventQueries
    private let interval: Duration
    private let logger: Logger
    private let sent: Counter
    private let lost: Counter
    private let lastReturn: Gauge
    private let roundTrip: Histogram

    package init(
        sink: EventSink,
        events: EventQueries,
        interval: Duration = .seconds(60),
        registry: MetricsRegistry,
        logger: Logger
    ) {
        self.sink = sink
        self.events = events
        self.interval = interval
        self.logger = logger
        sent = registry.counter("whorl_canary_sent_total", "Canary events sent.")
        lost = registry.counter("whorl_canary_lost_total", "Canary events that did not come back within a minute.")
        lastReturn = registry.gauge(
            "whorl_canary_last_return_timestamp_seconds",
            "When a canary event last came back from the database, by Unix time."
        )
        roundTrip = registry.histogram(
            "whorl_canary_seconds",
            "Time for a canary event to come back from the database."
        )
    }

    package func run() async throws {
        await PeriodicService(every: interval, startsAtOnce: true) { await sendOne() }.run()
    }

    private func sendOne() async {
        let start = ContinuousClock.now
        let id = EventID.random()
        let now = Date()
        let payload: JSON = [
            "event_id": .string(id.hex), "timestamp": .double(now.timeIntervalSince1970), "level": "info",
            "logger": "whorl.canary", "message": "Canary event", "fingerprint": ["whorl.canary"],
        ]
        sent.increment()
        do {
            let context = EventContext(projectID: Self.projectID, eventID: id, receivedAt: now)
            let event = try EventPipeline.reprocess(payload.encoded()[...], context)
            _ = try await sink.keep(sink.prepare(event), keyID: 0)
        } catch {
            logger.warning("canary event not stored", metadata: ["error": "\(error)"])
        }
        // A spooled event arrives only after the outage, so this one counts as lost; a later canary event shows the
        // recovery.
        while start.duration(to: .now) < interval, !Task.isCancelled {
            if await events.exists(id, projectID: Self.projectID) {
                roundTrip.observe(start.duration(to: .now))
                lastReturn.set(Date().timeIntervalSince1970)
                return
            }
            try? await Task.sleep(for: .seconds(1))
        }
        if !Task.isCancelled { lost.increment() }
    }
}
