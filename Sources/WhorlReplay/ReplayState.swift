import WhorlSpool
import WhorlThreads

/// Decides what the replay of the spool does next: a pure state machine.
struct ReplayState: Sendable {
    /// What became of one record.
    enum Attempt: Sendable, Equatable {
        /// The database has it.
        case stored(Int64)
        /// Its retention has passed.
        case tooOld(Int64)
        /// The database will never take it, or nobody can read it.
        case refused(Int64, reason: String)
        /// It failed for a reason that is neither its own nor an outage.
        case failed(Int64, reason: String)
        /// The database is away or overloaded.
        case outage
    }

    /// Something that happens to the replay.
    enum Event: Sendable, Equatable {
        /// It is time to look at the spool.
        case tick
        /// What the replay found before it reads the next records.
        case looked(isAnswering: Bool, load: Double, records: Int)
        /// The records of a window were tried.
        case tried([Attempt])
        /// The spool was changed as asked, or could not be changed.
        case spoolChanged
        case spoolFailed
    }

    /// What the replay has to do.
    enum Action: Sendable, Equatable {
        /// Nothing until the next tick.
        case rest
        /// Ask the writer and the spool, and report ``Event/looked(isAnswering:load:records:)``.
        case look
        /// Live events queue: look again after a moment.
        case pause
        /// Try the oldest records.
        case tryWindow
        /// Set these records aside and remove those; go on with the next window unless the database is away.
        case settle(deadLetters: [DeadLetter], stored: [Int64], tooOld: [Int64], goesOn: Bool)
    }

    /// A record that is set aside, with the reason.
    struct DeadLetter: Sendable, Equatable {
        let id: Int64
        let reason: String
    }

    /// How much of the writer's queue may be taken while records are replayed.
    static let maxLoad = 0.25
    /// Tries of a record that fails for a reason that is neither its own nor an outage.
    static let maxTries = 5

    private var tries: [Int64: Int] = [:]
    /// Records that can be neither removed nor set aside would be replayed again and again.
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
