import Logging
import ServiceLifecycle
import Synchronization
import WhorlTelemetry

/// How many connections there are and how long anybody waits for them.
package struct PostgresPoolConfiguration: Sendable {
    /// Most connections at once.
    package var size: Int
    /// Most tasks that may wait for a connection; one more is turned away at once.
    package var maxWaiters: Int
    /// How long a request may take, the wait for a connection included.
    package var timeout: Duration
    /// How long connecting may take.
    package var connectTimeout: Duration
    /// SQL that every new connection runs first.
    package var session: String

    package init(
        size: Int = 6,
        maxWaiters: Int = 1_000,
        timeout: Duration = .milliseconds(1_500),
        connectTimeout: Duration = .milliseconds(1_500),
        session: String = ""
    ) {
        self.size = size
        self.maxWaiters = maxWaiters
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.session = session
    }
}

/// A few connections that many tasks share.
///
/// Connections are made when they are needed. Behind an open ``Breaker`` every request fails at once; `run()` probes the
/// server until it answers again, so without `run()` a broken pool stays broken. Stopping `run()` does not close the
/// pool: services that stop later may still write; ``close()`` ends it.
package actor PostgresPool: Service {
    private let url: String
    package nonisolated let configuration: PostgresPoolConfiguration
    private let logger: Logger
    private let metrics: PostgresMetrics

    private var idle: [Idle] = []
    private var busy = 0
    private var connecting = 0
    private var waiters: [Waiter] = []
    private var nextWaiter = 0
    private var breaker = Breaker()
    private var isClosed = false
    private let probeWanted: AsyncStream<Void>
    private let wantProbe: AsyncStream<Void>.Continuation

    private struct Idle {
        let connection: PostgresConnection
        let since: ContinuousClock.Instant
    }

    /// A connection that was idle for longer is looked at before it is lent: the server may have ended it.
    private static let trustedIdleTime = Duration.milliseconds(100)

    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<PostgresConnection?, any Error>
        let timer: Task<Void, Never>
    }

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
        (probeWanted, wantProbe) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether the last request found a server that answers.
    package var isServerAnswering: Bool { breaker.isClosed }

    /// Keeps asking a server that is away until it answers.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            for await _ in probeWanted {
                await probeUntilAnswered()
            }
        }
    }

    /// Closes the idle connections and refuses new requests; busy ones are closed when they come back.
    package func close() async {
        isClosed = true
        for unused in idle { await unused.connection.close() }
        idle = []
        for waiter in waiters {
            waiter.timer.cancel()
            waiter.continuation.resume(throwing: PostgresError(.connection, "the pool is closed"))
        }
        waiters = []
        reportConnections()
    }

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

    /// Runs SQL put together at run time on a free connection.
    package func execute(
        _ fragment: SQLFragment,
        operation: String,
        timeout: Duration? = nil
    ) async throws -> PostgresRows {
        try await withConnection(operation, timeout: timeout) { connection, deadline in
            try await connection.execute(fragment, deadline: deadline)
        }
    }

    /// Runs the body in a transaction; it is tried again, whole, up to three times after a deadlock or its like.
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

    /// Lends a connection to the body, until it returns or throws.
    package nonisolated func withConnection<Value: Sendable>(
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
        guard !isClosed else { throw PostgresError(.connection, "the pool is closed") }
        guard breaker.isClosed else { throw PostgresError(.unavailable, "the database does not answer") }
        while let last = idle.popLast() {
            busy += 1
            reportConnections()
            if last.since.duration(to: .now) < Self.trustedIdleTime { return last.connection }
            if await last.connection.isAlive { return last.connection }
            busy -= 1
            await last.connection.close()
        }
        if busy + connecting < configuration.size { return try await connect(deadline: deadline) }
        guard waiters.count < configuration.maxWaiters else {
            throw PostgresError(.poolExhausted, "too many requests wait for a connection")
        }
        // A waiter that is handed nil may open a connection of its own.
        if let connection = try await wait(deadline: deadline) { return connection }
        return try await connect(deadline: deadline, isReserved: true)
    }

    private func wait(deadline: ContinuousClock.Instant) async throws -> PostgresConnection? {
        nextWaiter += 1
        let id = nextWaiter
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume(throwing: PostgresError(.cancelled, "cancelled"))
                    return
                }
                // A timer of its own per waiter, cancelled when the waiter is served.
                let timer = Task {
                    try? await Task.sleep(until: deadline, clock: .continuous)
                    if !Task.isCancelled {
                        endWait(id, PostgresError(.poolExhausted, "no connection came free within the deadline"))
                    }
                }
                waiters.append(Waiter(id: id, continuation: continuation, timer: timer))
            }
        } onCancel: {
            Task { await self.endWait(id, PostgresError(.cancelled, "cancelled")) }
        }
    }

    private func endWait(_ id: Int, _ error: PostgresError) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        let waiter = waiters.remove(at: index)
        waiter.timer.cancel()
        waiter.continuation.resume(throwing: error)
    }

    /// Opens a connection; `isReserved` says that its place among `connecting` is taken already.
    private func connect(
        deadline: ContinuousClock.Instant,
        isReserved: Bool = false
    ) async throws -> PostgresConnection {
        if !isReserved { connecting += 1 }
        reportConnections()
        do {
            let limit = min(deadline, .now + configuration.connectTimeout)
            let connection = try await PostgresConnection.connect(url, session: configuration.session, deadline: limit)
            connecting -= 1
            busy += 1
            breaker.succeeded()
            reportConnections()
            return connection
        } catch {
            connecting -= 1
            note(failure: error)
            // Its place is free: who waits may try, instead of waiting for its deadline.
            serveWaiterWithPlace()
            reportConnections()
            throw error
        }
    }

    private func release(_ connection: PostgresConnection, failure: (any Error)?) async {
        if let failure { note(failure: failure) } else { breaker.succeeded() }
        let usable = await connection.isUsable
        let open = usable ? await connection.isInTransaction : false
        busy -= 1
        guard usable, !open, !isClosed, breaker.isClosed else {
            await connection.close()
            serveWaiterWithPlace()
            reportConnections()
            return
        }
        if waiters.isEmpty {
            idle.append(Idle(connection: connection, since: .now))
        } else {
            busy += 1
            serveNextWaiter(with: connection)
        }
        reportConnections()
    }

    /// Hands the place of a connection that is gone to the next waiter, which opens one of its own.
    private func serveWaiterWithPlace() {
        guard breaker.isClosed, !isClosed, !waiters.isEmpty, busy + connecting < configuration.size else { return }
        connecting += 1
        serveNextWaiter(with: nil)
    }

    private func serveNextWaiter(with connection: PostgresConnection?) {
        let waiter = waiters.removeFirst()
        waiter.timer.cancel()
        waiter.continuation.resume(returning: connection)
    }

    // MARK: - Outages

    private func note(failure: any Error) {
        guard let error = failure as? PostgresError, error.meansServerAway, error.code != .unavailable,
            error.code != .poolExhausted
        else { return }
        let wasClosed = breaker.isClosed
        breaker.failed(at: .now, jitter: .random(in: 0...1))
        guard wasClosed, !breaker.isClosed else { return }
        logger.error("database away", metadata: ["db.error": "\(error)"])
        let abandoned = idle
        idle = []
        Task { for unused in abandoned { await unused.connection.close() } }
        for waiter in waiters {
            waiter.timer.cancel()
            waiter.continuation.resume(throwing: PostgresError(.unavailable, "the database does not answer"))
        }
        waiters = []
        wantProbe.yield()
    }

    private func probeUntilAnswered() async {
        while !isClosed, !Task.isCancelled, let next = breaker.nextProbe {
            do {
                try await Task.sleep(until: next, clock: .continuous)
            } catch { return }
            guard breaker.startProbe(at: .now) else { return }
            do {
                let deadline = ContinuousClock.now + configuration.connectTimeout
                let connection = try await PostgresConnection.connect(
                    url,
                    session: configuration.session,
                    deadline: deadline
                )
                // A standby accepts connections, but cannot keep anything.
                let rows = try await connection.script(
                    "SELECT pg_is_in_recovery()::int4::text AS standby",
                    deadline: deadline
                )
                guard try rows.first?.read("standby", as: String.self) == "0" else {
                    await connection.close()
                    throw PostgresError(.server("25006"), "the server is a read-only standby")
                }
                breaker.succeeded()
                idle.append(Idle(connection: connection, since: .now))
                reportConnections()
                logger.notice("database back")
            } catch {
                breaker.failed(at: .now, jitter: .random(in: 0...1))
            }
        }
    }

    private func reportConnections() {
        metrics.connections(idle: idle.count, busy: busy, connecting: connecting, isUp: breaker.isClosed)
    }
}
