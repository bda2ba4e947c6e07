import DequeModule

/// Decides which requests get a connection or wait, and when the server counts as unavailable: a pure state machine.
///
/// Requests are identified by numbers. Idle connections, busy connections and attempts to connect together never exceed
/// the size of the pool.
struct PoolState<Connection: Sendable>: Sendable {
    /// An input of the state machine.
    enum Event: Sendable {
        case requested(Int)
        /// The request waited until its deadline.
        case expired(Int)
        /// A connection was opened for a request that had to connect.
        case opened
        /// It could not be opened; `isAway` is true when the server does not answer.
        case openFailed(isAway: Bool)
        /// A lent connection was returned.
        case returned(Connection, isReusable: Bool, Result)
        /// A connection was found to be closed by the server when it was lent.
        case foundEnded
        /// A probe of an unavailable server succeeded.
        case probeSucceeded(Connection)
        /// A probe of an unavailable server failed.
        case probeFailed
        case closed
    }

    /// The result of using a connection.
    enum Result: Sendable, Equatable {
        case succeeded
        /// It failed for a reason unrelated to the availability of the server.
        case failed
        /// The server does not answer.
        case away
    }

    /// The reason why a request gets no connection.
    enum Refusal: Sendable, Equatable {
        case closed
        case away
        case tooManyWait
        case late
    }

    /// An action for the pool.
    enum Action: Sendable {
        /// Lend the connection to the request; `isFresh` is false when it was idle for a while.
        case lend(Int, Connection, isFresh: Bool)
        /// Let the request open a connection.
        case connect(Int)
        /// Let the request wait until its deadline.
        case wait(Int)
        case refuse(Int, Refusal)
        case close([Connection])
        /// Probe the server until it answers.
        case probe
    }

    private struct Idle: Sendable {
        let connection: Connection
        let since: ContinuousClock.Instant
    }

    private let size: Int
    private let maxWaiters: Int
    private let trustedIdleTime: Duration
    private var idle: [Idle] = []
    private(set) var busy = 0
    private(set) var connecting = 0
    private var waiters: Deque<Int> = []
    private var breaker = Breaker()
    private var isClosed = false

    init(size: Int, maxWaiters: Int, trustedIdleTime: Duration) {
        self.trustedIdleTime = trustedIdleTime
        self.size = size
        self.maxWaiters = maxWaiters
    }

    var idleCount: Int { idle.count }

    /// Whether the server counts as available.
    var isServerAnswering: Bool { breaker.isClosed }

    /// The earliest time of the next probe; nil when none is due.
    var nextProbe: ContinuousClock.Instant? { isClosed ? nil : breaker.nextProbe }

    /// Whether a probe may start now; if so, the caller must report ``Event/probeSucceeded(_:)`` or
    /// ``Event/probeFailed``.
    mutating func startProbe(at now: ContinuousClock.Instant) -> Bool { breaker.startProbe(at: now) }

    /// Handles an event; `jitter` (0 to 1) keeps collectors from probing at the same time.
    mutating func handle(_ event: Event, at now: ContinuousClock.Instant, jitter: Double) -> [Action] {
        switch event {
        case .requested(let id): return [grant(id, now)]
        case .expired(let id):
            guard let place = waiters.firstIndex(of: id) else { return [] }
            waiters.remove(at: place)
            return [.refuse(id, .late)]
        case .opened:
            connecting -= 1
            busy += 1
            breaker.succeeded()
            return []
        case .openFailed(let isAway):
            connecting -= 1
            return (isAway ? fail(now, jitter) : []) + offerPlace()
        case .returned(let connection, let isReusable, let result):
            return takeBack(connection, isReusable, result, now, jitter)
        case .foundEnded:
            busy -= 1
            return []
        case .probeSucceeded(let connection):
            breaker.succeeded()
            if isClosed { return [.close([connection])] }
            idle.append(Idle(connection: connection, since: now))
            return []
        case .probeFailed:
            breaker.failed(at: now, jitter: jitter)
            return []
        case .closed:
            isClosed = true
            return abandon(.closed)
        }
    }

    private mutating func grant(_ id: Int, _ now: ContinuousClock.Instant) -> Action {
        if isClosed { return .refuse(id, .closed) }
        guard breaker.isClosed else { return .refuse(id, .away) }
        if let last = idle.popLast() {
            busy += 1
            return .lend(id, last.connection, isFresh: last.since.duration(to: now) < trustedIdleTime)
        }
        if busy + connecting < size {
            connecting += 1
            return .connect(id)
        }
        guard waiters.count < maxWaiters else { return .refuse(id, .tooManyWait) }
        waiters.append(id)
        return .wait(id)
    }

    private mutating func takeBack(
        _ connection: Connection,
        _ isReusable: Bool,
        _ result: Result,
        _ now: ContinuousClock.Instant,
        _ jitter: Double
    ) -> [Action] {
        busy -= 1
        var actions: [Action] = []
        switch result {
        case .succeeded: breaker.succeeded()
        case .failed: break
        case .away: actions = fail(now, jitter)
        }
        guard isReusable, !isClosed, breaker.isClosed else { return actions + [.close([connection])] + offerPlace() }
        if let waiter = waiters.popFirst() {
            busy += 1
            return actions + [.lend(waiter, connection, isFresh: true)]
        }
        idle.append(Idle(connection: connection, since: now))
        return actions
    }

    /// Lets the first waiting request connect in place of a closed connection.
    private mutating func offerPlace() -> [Action] {
        guard breaker.isClosed, !isClosed, busy + connecting < size, let waiter = waiters.popFirst() else { return [] }
        connecting += 1
        return [.connect(waiter)]
    }

    /// Handles a failure that means that the server is unavailable.
    ///
    /// The first such failure rejects all waiting requests and closes the idle connections.
    private mutating func fail(_ now: ContinuousClock.Instant, _ jitter: Double) -> [Action] {
        let wasClosed = breaker.isClosed
        breaker.failed(at: now, jitter: jitter)
        return wasClosed && !breaker.isClosed ? abandon(.away) + [.probe] : []
    }

    private mutating func abandon(_ refusal: Refusal) -> [Action] {
        defer {
            idle = []
            waiters = []
        }
        return (idle.isEmpty ? [] : [.close(idle.map(\.connection))]) + waiters.map { .refuse($0, refusal) }
    }
}
