import Foundation
import Logging
import ServiceLifecycle
import WhorlIngest
import WhorlPostgres
import WhorlProtocol
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
package struct SpoolReplay: Service {
    /// Records that are on their way at once.
    private static let window = 100
    /// How often the spool is looked at while there is nothing to do.
    private static let interval = Duration.milliseconds(500)
    /// How often dead letters are looked through for old ones and those of deleted projects.
    private static let cleaningInterval = Duration.seconds(30)
    /// How much of the writer's queue may be taken while records are replayed.
    private static let maxLoad = 0.25
    /// Tries of a record that fails for a reason that is neither its own nor an outage.
    private static let maxTries = 5

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
            "whorl_spool_too_old",
            "Spooled events whose retention had passed when they were replayed."
        )
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var tries: [Int64: Int] = [:]
            var backoff = Backoff(first: .seconds(1), longest: .seconds(30))
            var nextCleaning = ContinuousClock.now
            while !Task.isCancelled {
                await spool.refresh()
                do {
                    try await drain(&tries)
                    if ContinuousClock.now >= nextCleaning, await keys.update() {
                        nextCleaning = .now + Self.cleaningInterval
                        try await clean()
                    }
                    backoff.succeeded()
                } catch {
                    // Records that can neither be removed nor set aside would be replayed again and again.
                    backoff.failed(at: .now)
                    logger.warning("spool cannot be changed; replay waits", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: backoff.wait ?? Self.interval)
            }
        }
    }

    private enum Result {
        case done(Int64)
        /// Its retention has passed; counted once it is out of the spool.
        case tooOld(Spool.Entry, Date)
        case refused(Int64, String)
        case failed(Int64, String)
        case outage
    }

    /// Replays until the spool is empty or the database is away again.
    ///
    /// Throws when the spool cannot be changed.
    private func drain(_ tries: inout [Int64: Int]) async throws {
        while !Task.isCancelled, await writer.isAnswering, await spool.held.records > 0 {
            if await writer.load > Self.maxLoad {
                try? await Task.sleep(for: .milliseconds(50))
                continue
            }
            let now = await clock.now()
            let entries = try await spool.oldest(Self.window)
            guard !entries.isEmpty else { return }
            let results = await withTaskGroup(of: Result.self) { group in
                for entry in entries { group.addTask { await replay(entry, now) } }
                var results: [Result] = []
                for await result in group { results.append(result) }
                return results
            }
            var done: [Int64] = []
            var expired: [(Spool.Entry, Date)] = []
            var isOutage = false
            for result in results {
                switch result {
                case .done(let id): done.append(id)
                case .tooOld(let entry, let now):
                    done.append(entry.id)
                    expired.append((entry, now))
                case .refused(let id, let reason): try await spool.deadLetter(id, reason: reason)
                case .outage: isOutage = true
                case .failed(let id, let reason):
                    tries[id, default: 0] += 1
                    if tries[id, default: 0] >= Self.maxTries {
                        try await spool.deadLetter(id, reason: "failed \(Self.maxTries) times: \(reason)")
                    }
                }
            }
            for id in done { tries[id] = nil }
            #if DEBUG
            Fault.crashPoint(.beforeSpoolRemoval)
            #endif
            try await spool.remove(done)
            for (entry, now) in expired { countTooOld(entry, now) }
            if isOutage { return }
        }
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
    private func replay(_ entry: Spool.Entry, _ now: Date?) async -> Result {
        let receivedAt = Date(timeIntervalSince1970: Double(entry.record.receivedAt) / 1_000_000)
        if let now, now.timeIntervalSince(receivedAt) > Double(retentionDays) * 86_400 {
            return .tooOld(entry, now)
        }
        if entry.record.projectID != Canary.projectID, await keys.isLive(projectID: entry.record.projectID) == false {
            // It may just be newer than what is known, or have no keys any more.
            do {
                guard try await keys.exists(projectID: entry.record.projectID) else {
                    return .refused(entry.id, "the project is gone")
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
            return .refused(entry.id, "\(error)")
        }
        do {
            let outcome = try await writer.submit(prepared)
            if case .stored(let isNewIssue, let isRegression) = outcome,
                let place = await keys.place(projectID: entry.record.projectID)
            {
                // Events were counted when they were acknowledged; what they meant for issues is known only now.
                events.committed(
                    organization: place.organization,
                    project: place.project,
                    isNewIssue: isNewIssue,
                    isRegression: isRegression
                )
            }
            return .done(entry.id)
        } catch let error as PostgresError where error.refusesData {
            return .refused(entry.id, error.description)
        } catch let error as PostgresError where error.isInternal {
            return .failed(entry.id, error.description)
        } catch let error as PostgresError
            where error.sqlState != nil || error.meansServerAway || error.isTooSlow || error.code == .cancelled
        {
            return .outage
        } catch {
            return .failed(entry.id, "\(error)")
        }
    }
}
