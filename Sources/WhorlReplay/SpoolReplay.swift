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

/// Brings what was spooled into the database, oldest first, through the same writer as live events.
///
/// A record leaves the spool after the commit; one that was committed before a crash is a duplicate then, and changes
/// nothing. A window of records goes at a time and pauses while live events queue, so that those are not held up. A
/// record that the database refuses becomes a dead letter, and the rest goes on.
package actor SpoolReplay: Service {
    /// Records that are on their way at once.
    private static let window = 100
    /// How often the spool is looked at while there is nothing to do.
    private static let interval = Duration.milliseconds(500)
    /// How often dead letters are looked through for old ones and those of deleted projects.
    private static let cleaningInterval = Duration.seconds(30)
    /// How long it pauses while live events queue.
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
            logger.warning("spool cannot be changed; replay waits", metadata: ["error": "\(error)"])
            _ = state.handle(.spoolFailed, at: .now)
        }
    }

    /// Replays until the spool is empty or the database is away; throws when the spool cannot be changed.
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

    /// Replays the oldest records; false when the replay should rest.
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
        // Counted once they are out of the spool.
        if let now {
            for entry in entries where tooOld.contains(entry.id) { countTooOld(entry, now) }
        }
        return goesOn
    }

    /// Gives an event that is too old its outcome.
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

    /// Forgets what nobody will look at any more.
    private func clean() async throws {
        let keys = self.keys
        let count = try await spool.clean { project in
            guard project != Canary.projectID, await keys.isLive(projectID: project) == false else { return false }
            return (try? await keys.exists(projectID: project)) == false
        }
        if count > 0 {
            logger.notice("old dead letters, or those of deleted projects, removed", metadata: ["events": "\(count)"])
        }
    }

    /// `now` is the database's time; nil when it differs from ours, and then nothing is too old.
    private func replay(_ entry: Spool.Entry, _ now: Date?) async -> ReplayState.Attempt {
        let receivedAt = Date(timeIntervalSince1970: Double(entry.record.receivedAt) / 1_000_000)
        if let now, now.timeIntervalSince(receivedAt) > Double(retentionDays) * 86_400 {
            return .tooOld(entry.id)
        }
        if entry.record.projectID != Canary.projectID, await keys.isLive(projectID: entry.record.projectID) == false {
            // It may just be newer than what is known, or have no keys any more.
            do {
                guard try await keys.exists(projectID: entry.record.projectID) else {
                    return .refused(entry.id, reason: "the project is gone")
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
                // Events were counted when they were acknowledged; what they meant for issues is known only now.
                events.project(organization: place.organization, project: place.project)
                    .committed(isNewIssue: isNewIssue, isRegression: isRegression)
            }
            return .stored(entry.id)
        } catch let error as PostgresError where error.refusesData {
            return .refused(entry.id, reason: error.description)
        } catch let error as PostgresError where error.isInternal {
            return .failed(entry.id, reason: error.description)
        } catch let error as PostgresError
            where error.sqlState != nil || error.meansServerAway || error.isTooSlow || error.code == .cancelled
        {
            return .outage
        } catch {
            return .failed(entry.id, reason: "\(error)")
        }
    }
}
