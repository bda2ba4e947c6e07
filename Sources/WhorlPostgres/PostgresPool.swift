import Logging
import ServiceLifecycle
import Synchronization
import WhorlTelemetry
import WhorlThreads

/// A pool of connections that many tasks share.
///
/// ``PoolState`` makes the decisions. Connections are opened on demand. While the server is unavailable, every request
/// fails immediately. `run()` probes the server until it answers again; without `run()` the pool does not recover.
/// Stopping `run()` does not close the pool, because services that stop later may still write; ``close()`` closes it.
package final class PostgresPool: Service, Sendable {
    private typealias Pool = PoolState<PostgresConnection>

    /// The response to a request for a connection.
    private enum Grant: Sendable {
        case connection(PostgresConnection, isFresh: Bool)
        case connect
        case refused(Pool.Refusal)
    }

    private struct State {
        var pool: Pool
        var nextRequest = 0
        /// Waiting requests.
        var answers: [Int: CheckedContinuation<Grant, Never>] = [:]
        /// Responses to requests that do not wait yet.
        var early: [Int: Grant] = [:]
    }

    private let url: String
    package let configuration: PostgresPoolConfiguration
    private let logger: Logger
    private let metrics: PostgresMetrics
    private let state: Mutex<State>
    private let probeWanted: AsyncStream<Void>
    private let wantProbe: AsyncStream<Void>.Continuation

    package init(
        url: String,
        configuration: PostgresPoolConfiguration = .init(),
        logger: Logger,
        metrics: PostgresMetrics
    ) {
        self.url = url
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        state = Mutex(
            State(
                pool: Pool(
                    size: configuration.size,
                    maxWaiters: configuration.maxWaiters,
                    trustedIdleTime: configuration.trustedIdleTime
                )
            )
        )
        (probeWanted, wantProbe) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether the server counts as available.
    package var isServerAnswering: Bool { state.withLock(\.pool.isServerAnswering) }

    /// Probes an unavailable server until it answers.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            for await _ in probeWanted { await probeUntilAnswered() }
        }
    }

    /// Closes the idle connections and rejects new requests; busy connections are closed when they are returned.
    package func close() async { await handle(.closed) }

    /// Runs one statement on a free connection.
    package func execute(
        _ statement: PostgresStatement,
        _ values: [PostgresValue] = [],
        timeout: Duration? = nil
    ) async throws -> PostgresRows {
        try await withConnection(statement.operation, timeout: timeout) { connection, deadline in
            try await connection.execute(statement, values, deadline: deadline)
        }
    }

    /// Runs SQL that was composed at run time on a free connection.
    package func execute(
        _ fragment: SQLFragment,
        operation: String,
        timeout: Duration? = nil
    ) async throws -> PostgresRows {
        try await withConnection(operation, timeout: timeout) { connection, deadline in
            try await connection.execute(fragment, deadline: deadline)
        }
    }

    /// Runs the body in a transaction; after a deadlock or a similar error the transaction is repeated, up to three
    /// times in all.
    package func transaction<Value: Sendable>(
        _ operation: String,
        timeout: Duration? = nil,
        _ body: @Sendable (PostgresConnection, ContinuousClock.Instant) async throws -> Value
    ) async throws -> Value {
        try await withConnection(operation, timeout: timeout) { connection, deadline in
            var attempt = 1
            while true {
                do {
                    return try await connection.transaction(deadline: deadline) { connection in
                        try await body(connection, deadline)
                    }
                } catch let error as PostgresError where error.isTransient && attempt < 3 {
                    attempt += 1
                }
            }
        }
    }

    /// Lends a connection to the body until the body returns or throws.
    package func withConnection<Value: Sendable>(
        _ operation: String,
        timeout: Duration? = nil,
        _ body: @Sendable (PostgresConnection, ContinuousClock.Instant) async throws -> Value
    ) async throws -> Value {
        let start = ContinuousClock.now
        let deadline = start + (timeout ?? configuration.timeout)
        do {
            let connection = try await acquire(deadline: deadline)
            do {
                let value = try await body(connection, deadline)
                await release(connection, failure: nil)
                metrics.finished(operation, start.duration(to: .now), error: nil)
                return value
            } catch {
                await release(connection, failure: error)
                throw error
            }
        } catch {
            metrics.finished(operation, start.duration(to: .now), error: error as? PostgresError)
            throw error
        }
    }

    // MARK: - Lending

    private func acquire(deadline: ContinuousClock.Instant) async throws -> PostgresConnection {
        while true {
            switch await grant(deadline: deadline) {
            case .connection(let connection, isFresh: true): return connection
            case .connection(let connection, isFresh: false):
                if await connection.isAlive { return connection }
                await handle(.foundEnded)
                await connection.close()
            case .connect: return try await connect(deadline: deadline)
            case .refused(let refusal): throw Self.error(refusal)
            }
        }
    }

    private func grant(deadline: ContinuousClock.Instant) async -> Grant {
        let (id, grant) = state.withLock { state in
            state.nextRequest += 1
            let id = state.nextRequest
            // A request causes exactly one action, which closes no connection.
            let action = state.pool.handle(.requested(id), at: .now, jitter: 0).first
            return (id, action.flatMap(Self.grant))
        }
        reportConnections()
        if let grant { return grant }
        return await withTimeout(ContinuousClock.now.duration(to: deadline)) {
            // The end of a wait closes no connection.
            self.deliver(self.decide(.expired(id)))
        } register: { answer in
            let early = state.withLock { state in
                let early = state.early.removeValue(forKey: id)
                if early == nil { state.answers[id] = answer }
                return early
            }
            if let early { answer.resume(returning: early) }
        }
    }

    private func connect(deadline: ContinuousClock.Instant) async throws -> PostgresConnection {
        do {
            let connection = try await open(deadline: min(deadline, .now + configuration.connectTimeout))
            await handle(.opened)
            return connection
        } catch {
            // A cancelled attempt says nothing about the server.
            let isAway = !Task.isCancelled && Self.meansAway(error)
            if isAway { logAway(error) }
            await handle(.openFailed(isAway: isAway))
            throw error
        }
    }

    private func open(deadline: ContinuousClock.Instant) async throws -> PostgresConnection {
        try await PostgresConnection.connect(url, session: configuration.session, deadline: deadline)
    }

    private func release(_ connection: PostgresConnection, failure: (any Error)?) async {
        let isReusable = await connection.isReusable
        let result: Pool.Result =
            if let failure { !Task.isCancelled && Self.meansAway(failure) ? .away : .failed } else { .succeeded }
        if result == .away { logAway(failure) }
        await handle(.returned(connection, isReusable: isReusable, result))
    }

    /// Logs the first failure of an outage.
    private func logAway(_ error: (any Error)?) {
        guard isServerAnswering else { return }
        logger.error("database unavailable", metadata: ["db.error": "\(error.map { "\($0)" } ?? "")"])
    }

    // MARK: - Actions

    private func handle(_ event: Pool.Event) async {
        for connection in deliver(decide(event)) { await connection.close() }
        reportConnections()
    }

    private func decide(_ event: Pool.Event) -> [Pool.Action] {
        state.withLock { $0.pool.handle(event, at: .now, jitter: .random(in: 0...1)) }
    }

    /// Delivers the responses to requests; returns the connections to close.
    @discardableResult
    private func deliver(_ actions: [Pool.Action]) -> [PostgresConnection] {
        var closed: [PostgresConnection] = []
        for action in actions {
            switch action {
            case .lend(let id, _, _), .connect(let id), .refuse(let id, _):
                if let grant = Self.grant(action) { give(grant, to: id) }
            case .wait: break
            case .close(let connections): closed += connections
            case .probe: wantProbe.yield()
            }
        }
        return closed
    }

    private func give(_ grant: Grant, to id: Int) {
        let answer = state.withLock { state in
            let answer = state.answers.removeValue(forKey: id)
            if answer == nil { state.early[id] = grant }
            return answer
        }
        answer?.resume(returning: grant)
    }

    private static func grant(_ action: Pool.Action) -> Grant? {
        switch action {
        case .lend(_, let connection, let isFresh): .connection(connection, isFresh: isFresh)
        case .connect: .connect
        case .refuse(_, let refusal): .refused(refusal)
        case .wait, .close, .probe: nil
        }
    }

    private static func error(_ refusal: Pool.Refusal) -> PostgresError {
        switch refusal {
        case .closed: PostgresError(.connection, "the pool is closed")
        case .away: PostgresError(.unavailable, "the database does not answer")
        case .tooManyWait: PostgresError(.poolExhausted, "too many requests are waiting for a connection")
        case .late where Task.isCancelled: PostgresError(.cancelled, "cancelled")
        case .late: PostgresError(.poolExhausted, "no connection became free before the deadline")
        }
    }

    // MARK: - Outages

    /// Whether an error means that the server is unavailable; false when the pool sent nothing to the server.
    private static func meansAway(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError else { return false }
        return error.meansServerUnavailable && error.code != .unavailable && error.code != .poolExhausted
    }

    private func probeUntilAnswered() async {
        while !Task.isCancelled, let next = state.withLock(\.pool.nextProbe) {
            do {
                try await Task.sleep(until: next, clock: .continuous)
            } catch { return }
            guard state.withLock({ $0.pool.startProbe(at: .now) }) else { return }
            do {
                await handle(.probeSucceeded(try await probe()))
                logger.notice("database available again")
            } catch {
                await handle(.probeFailed)
            }
        }
    }

    private func probe() async throws -> PostgresConnection {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        let connection = try await open(deadline: deadline)
        // A standby accepts connections but cannot write.
        let rows = try await connection.script(
            "SELECT pg_is_in_recovery()::int4::text AS standby",
            deadline: deadline
        )
        guard try rows.first?.read("standby", as: String.self) == "0" else {
            await connection.close()
            throw PostgresError(.server("25006"), "the server is a read-only standby")
        }
        return connection
    }

    private func reportConnections() {
        // Within the lock, so that two reports cannot overtake each other.
        state.withLock { state in
            metrics.connections(
                idle: state.pool.idleCount,
                busy: state.pool.busy,
                connecting: state.pool.connecting,
                isUp: state.pool.isServerAnswering
            )
        }
    }
}
