import Foundation
import Logging
import ServiceLifecycle
import WhorlIngest
import WhorlPostgres
import WhorlProtocol
import WhorlServices
import WhorlSpool
import WhorlStore
import WhorlTelemetry
import WhorlThreads

#if DEBUG
import WhorlFaults
#endif

/// Replays spooled events into the database, oldest first, through the same writer as live events.
///
/// A record is removed from the spool after the commit. If a crash happens in between, its replay is a duplicate, which
/// changes nothing. Records are replayed in windows, with pauses while live events are queued, so that these are not
/// delayed. A record that the database rejects becomes a dead letter, and the replay continues.
package actor SpoolReplay: Service {
    /// The number of records that are replayed concurrently.
    private static let window = 100
    /// The interval at which an idle replay checks the spool.
    private static let interval = Duration.milliseconds(500)
    /// The interval at which old dead letters and the records of deleted projects are removed.
    private static let cleaningInterval = Duration.seconds(30)
    /// The pause while live events are queued.
    private static let pause = Duration.milliseconds(50)

    private let spool: Spool
    private let writer: EventWriter
    private let keys: KeyDirectory
    private let codec: PayloadCodec
    private let events: EventMetrics
    private let retentionDays: Int
    private let outcomes: OutcomeRecorder
    private let clock: DatabaseClock
    private let logger: Logger
    private let tooOld: Counter
    private let thread = WorkThread(name: "replay")
    private var state = ReplayState()
    private var nextCleaning = ContinuousClock.now

    package init(
        spool: Spool,
        writer: EventWriter,
        keys: KeyDirectory,
        codec: PayloadCodec,
        events: EventMetrics,
        retentionDays: Int,
        outcomes: OutcomeRecorder,
        clock: DatabaseClock,
        logger: Logger,
        registry: MetricsRegistry
    ) {
        self.spool = spool
        self.writer = writer
        self.keys = keys
        self.codec = codec
        self.events = events
        self.retentionDays = retentionDays
        self.outcomes = outcomes
        self.clock = clock
        self.logger = logger
        tooOld = registry.counter(
            "whorl_spool_too_old_total",
            "Spooled events whose retention had passed when they were replayed."
        )
    }

    package func run() async throws {
        await PeriodicService(every: Self.interval, startsAtOnce: true) { await self.tick() }.run()
    }

    private func tick() async {
        guard state.handle(.tick, at: .now) == .look else { return }
        await spool.refresh()
        do {
            try await drain()
            if ContinuousClock.now >= nextCleaning, await keys.update() {
                nextCleaning = .now + Self.cleaningInterval
                try await clean()
            }
            _ = state.handle(.spoolChanged, at: .now)
        } catch {
            logger.warning("spool cannot be changed; replay paused", metadata: ["error": "\(error)"])
            _ = state.handle(.spoolFailed, at: .now)
        }
    }

    /// Replays until the spool is empty or the database is unavailable; throws when the spool cannot be changed.
    private func drain() async throws {
        while !Task.isCancelled {
            let event = ReplayState.Event.looked(
                isAnswering: writer.isAnswering,
                load: writer.load,
                records: await spool.held.records
            )
            switch state.handle(event, at: .now) {
            case .pause: try? await Task.sleep(for: Self.pause)
            case .tryWindow: guard try await replayWindow() else { return }
            case .rest, .look, .settle: return
            }
        }
    }

    /// Replays the oldest records; returns false when the replay should wait for the next tick.
    private func replayWindow() async throws -> Bool {
        let now = await clock.now()
        let entries = try await spool.oldest(Self.window)
        let attempts = await withTaskGroup(of: ReplayState.Attempt.self) { group in
            for entry in entries { group.addTask { await self.replay(entry, now) } }
            var attempts: [ReplayState.Attempt] = []
            for await attempt in group { attempts.append(attempt) }
            return attempts
        }
        guard
            case .settle(let deadLetters, let stored, let tooOld, let goesOn) = state.handle(.tried(attempts), at: .now)
        else { return false }
        for letter in deadLetters { try await spool.deadLetter(letter.id, reason: letter.reason) }
        #if DEBUG
        Fault.crashPoint(.beforeSpoolRemoval)
        #endif
        try await spool.remove(stored + tooOld)
        // Counted only after their removal from the spool.
        if let now {
            for entry in entries where tooOld.contains(entry.id) { countTooOld(entry, now) }
        }
        return goesOn
    }

    /// Records the outcome of an event that is too old.
    private func countTooOld(_ entry: Spool.Entry, _ now: Date) {
        tooOld.increment()
        outcomes.count(
            projectID: entry.record.projectID,
            category: "error",
            outcome: .invalid,
            reason: Outcome.Reason.tooOld.rawValue,
            at: now
        )
        if let id = EventID(bytes: entry.record.eventID) {
            outcomes.dropped(
                id,
                projectID: entry.record.projectID,
                outcome: .invalid,
                reason: .tooOld,
                at: now
            )
        }
    }

    /// Removes old dead letters and the records of deleted projects.
    private func clean() async throws {
        let keys = self.keys
        let count = try await spool.clean { project in
            guard project != Canary.projectID, await keys.hasKey(projectID: project) == false else { return false }
            return (try? await keys.exists(projectID: project)) == false
        }
        if count > 0 {
            logger.notice("old dead letters and events of deleted projects removed", metadata: ["events": "\(count)"])
        }
    }

    /// `now` is the database's time; without it (nil), no event counts as too old.
    private func replay(_ entry: Spool.Entry, _ now: Date?) async -> ReplayState.Attempt {
        let receivedAt = Date(timeIntervalSince1970: Double(entry.record.receivedAt) / 1_000_000)
        if let now, now.timeIntervalSince(receivedAt) > Double(retentionDays) * 86_400 {
            return .tooOld(entry.id)
        }
        if entry.record.projectID != Canary.projectID, await keys.hasKey(projectID: entry.record.projectID) == false {
            // The project may be newer than the loaded keys, or have no keys any more.
            do {
                guard try await keys.exists(projectID: entry.record.projectID) else {
                    return .refused(entry.id, reason: "the project does not exist")
                }
            } catch {
                return .outage
            }
        }
        let prepared: PreparedEvent
        do {
            prepared = try await entry.record.prepared(
                codec,
                await keys.grouping(projectID: entry.record.projectID),
                on: thread
            )
        } catch {
            return .refused(entry.id, reason: "\(error)")
        }
        do {
            let outcome = try await writer.submit(prepared)
            if case .stored(let isNewIssue, let isRegression) = outcome,
                let place = await keys.place(projectID: entry.record.projectID)
            {
                // The event was counted when it was acknowledged; its effect on issues is known only now.
                events.project(organization: place.organization, project: place.project)
                    .committed(isNewIssue: isNewIssue, isRegression: isRegression)
            }
            return .stored(entry.id)
        } catch let error as PostgresError where error.refusesData {
            return .refused(entry.id, reason: error.description)
        } catch let error as PostgresError where error.isInternal {
            return .failed(entry.id, reason: error.description)
        } catch let error as PostgresError
            where error.sqlState != nil || error.meansServerUnavailable || error.isTooSlow || error.code == .cancelled
        {
            return .outage
        } catch {
            return .failed(entry.id, reason: "\(error)")
        }
    }
}
