import WhorlSpool
import WhorlThreads

/// Decides what the replay of the spool does next: a pure state machine.
struct ReplayState: Sendable {
    /// The result of replaying one record.
    enum Attempt: Sendable, Equatable {
        /// It is stored in the database.
        case stored(Int64)
        /// Its retention period is over.
        case tooOld(Int64)
        /// The database will never accept it, or it cannot be read.
        case refused(Int64, reason: String)
        /// It failed for a reason other than its content or an outage.
        case failed(Int64, reason: String)
        /// The database is unavailable or overloaded.
        case outage
    }

    /// An input of the state machine.
    enum Event: Sendable, Equatable {
        /// It is time to check the spool.
        case tick
        /// The state of the writer and the spool before the next records are read.
        case looked(isAnswering: Bool, load: Double, records: Int)
        /// The records of a window were replayed with these results.
        case tried([Attempt])
        /// The spool was changed as requested.
        case spoolChanged
        /// The spool could not be changed.
        case spoolFailed
    }

    /// An action for the replay.
    enum Action: Sendable, Equatable {
        /// Do nothing until the next tick.
        case rest
        /// Check the writer and the spool, and report ``Event/looked(isAnswering:load:records:)``.
        case look
        /// Wait a moment and check again, because live events are queued.
        case pause
        /// Replay the oldest records.
        case tryWindow
        /// Dead-letter and remove these records; continue with the next window if `goesOn` is true.
        case settle(deadLetters: [DeadLetter], stored: [Int64], tooOld: [Int64], goesOn: Bool)
    }

    /// A record to dead-letter, with the reason.
    struct DeadLetter: Sendable, Equatable {
        let id: Int64
        let reason: String
    }

    /// The load of the writer's queue above which the replay pauses.
    static let maxLoad = 0.25
    /// The number of attempts for a record that fails for a reason other than its content or an outage.
    static let maxTries = 5

    private var tries: [Int64: Int] = [:]
    /// The delay after a failed change of the spool; without it, the same records would be replayed again and again.
    private var backoff = Backoff(first: .seconds(1), longest: .seconds(30))

    mutating func handle(_ event: Event, at now: ContinuousClock.Instant) -> Action {
        switch event {
        case .tick: return backoff.mayTry(at: now) ? .look : .rest
        case .looked(let isAnswering, let load, let records):
            guard isAnswering, records > 0 else { return .rest }
            return load > Self.maxLoad ? .pause : .tryWindow
        case .tried(let attempts): return settle(attempts)
        case .spoolChanged:
            backoff.succeeded()
            return .rest
        case .spoolFailed:
            backoff.failed(at: now)
            return .rest
        }
    }

    private mutating func settle(_ attempts: [Attempt]) -> Action {
        var deadLetters: [DeadLetter] = []
        var stored: [Int64] = []
        var tooOld: [Int64] = []
        var isOutage = false
        for attempt in attempts {
            switch attempt {
            case .stored(let id): stored.append(id)
            case .tooOld(let id): tooOld.append(id)
            case .refused(let id, let reason): deadLetters.append(DeadLetter(id: id, reason: reason))
            case .outage: isOutage = true
            case .failed(let id, let reason):
                tries[id, default: 0] += 1
                guard tries[id, default: 0] >= Self.maxTries else { continue }
                deadLetters.append(DeadLetter(id: id, reason: "failed \(Self.maxTries) times: \(reason)"))
            }
        }
        for id in stored + tooOld + deadLetters.map(\.id) { tries[id] = nil }
        return .settle(
            deadLetters: deadLetters,
            stored: stored,
            tooOld: tooOld,
            goesOn: !isOutage && !attempts.isEmpty
        )
    }
}
