import CWhorlPostgres
import Foundation
import Glibc
import WhorlThreads

/// A connection to Postgres with its own thread.
///
/// Every wait has a client-side deadline: a frozen server answers neither `PQexec` nor `PQcancel`, regardless of
/// `statement_timeout`. After a missed deadline the connection is closed, and the result of the statement is unknown.
///
/// All blocking calls are in ``PostgresSession``. Only synchronous methods of this actor use it; these always run on
/// the actor's thread.
package actor PostgresConnection {
    private nonisolated let executor: ThreadExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let session: PostgresSession
    private nonisolated let wake: Int32

    private init() {
        executor = ThreadExecutor(name: "postgres")
        wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        session = PostgresSession(thread: executor, wake: wake)
    }

    deinit {
        if wake >= 0 { Glibc.close(wake) }
        executor.stop()
    }

    /// Connects; throws when the deadline passes first.
    ///
    /// `session` is SQL that sets up the connection.
    package static func connect(
        _ url: String,
        session: String = "",
        deadline: ContinuousClock.Instant,
        resolver: HostResolver = .system
    ) async throws -> PostgresConnection {
        let target = try ConnectionTarget(url)
        let addresses = try await resolve(target.names, resolver, deadline)
        let connection = PostgresConnection()
        try await connection.cancellable {
            try $0.open(target, addresses, session: session, deadline: deadline)
        }
        return connection
    }

    /// False after the connection broke or was closed; such a connection must be discarded.
    package var isUsable: Bool { session.isUsable }

    /// Whether another task may use the connection: it is usable, and no transaction is open.
    var isReusable: Bool { session.isUsable && !session.isInTransaction }

    /// Whether the connection is usable and, as far as this host knows, the server has not closed it.
    var isAlive: Bool { session.isAlive }

    /// Whether a transaction is open, as reported by the server.
    package var isInTransaction: Bool { session.isInTransaction }

    package func close() { session.close() }

    /// Runs a prepared statement; prepares it first if this connection has not done so yet.
    package nonisolated func execute(
        _ statement: PostgresStatement,
        _ values: [PostgresValue] = [],
        deadline: ContinuousClock.Instant
    ) async throws -> PostgresRows {
        try await cancellable { try $0.execute(statement, values, deadline: deadline) }
    }

    /// Runs SQL that was composed at run time; it is planned for this call only.
    package nonisolated func execute(
        _ fragment: SQLFragment,
        deadline: ContinuousClock.Instant
    ) async throws -> PostgresRows {
        try await cancellable { try $0.execute(fragment, deadline: deadline) }
    }

    /// Runs several SQL statements without parameters, such as a migration; returns the rows of the last statement.
    @discardableResult
    package nonisolated func script(_ sql: String, deadline: ContinuousClock.Instant) async throws -> PostgresRows {
        try await cancellable { try $0.script(sql, deadline: deadline) }
    }

    /// Prepares a statement, to check that it matches the schema.
    package func check(_ statement: PostgresStatement, deadline: ContinuousClock.Instant) throws {
        try session.check(statement, deadline: deadline)
    }

    /// Runs the body between BEGIN and COMMIT; rolls the transaction back when the body throws.
    ///
    /// When COMMIT fails without an answer from the server, the outcome is unknown.
    package nonisolated func transaction<Value: Sendable>(
        deadline: ContinuousClock.Instant,
        _ body: @Sendable (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await script("BEGIN", deadline: deadline)
        do {
            let value = try await body(self)
            try await script("COMMIT", deadline: deadline)
            return value
        } catch {
            await rollBack(deadline: deadline)
            throw error
        }
    }

    private func rollBack(deadline: ContinuousClock.Instant) { session.rollBack(deadline: deadline) }

    /// Runs the body on the connection's thread; a cancellation of the task wakes the thread when it waits.
    private nonisolated func cancellable<Value: Sendable>(
        _ body: @Sendable (PostgresSession) throws -> Value
    ) async throws -> Value {
        let wake = self.wake
        return try await withTaskCancellationHandler {
            try await run(body)
        } onCancel: {
            var one: UInt64 = 1
            _ = Glibc.write(wake, &one, 8)
        }
    }

    /// Switches to the connection's thread, where synchronous methods of the actor always run.
    private func run<Value: Sendable>(_ body: @Sendable (PostgresSession) throws -> Value) throws -> Value {
        do {
            session.clearWakeups()
            if Task.isCancelled { throw PostgresError(.cancelled, "cancelled") }
            return try body(session)
        } catch let error as PostgresError where error.sqlState == "57014" && Task.isCancelled {
            throw PostgresError(.cancelled, "cancelled")
        }
    }

    private static func resolve(
        _ names: [String],
        _ resolver: HostResolver,
        _ deadline: ContinuousClock.Instant
    ) async throws -> [String: [String]] {
        // With several hosts, half of the time is reserved for connecting, in case one of them cannot be resolved.
        let half = ContinuousClock.now + ContinuousClock.now.duration(to: deadline) / 2
        let isOnly = Set(names).count == 1
        var found: [String: [String]] = [:]
        var failure: (any Error)?
        await withTaskGroup(of: (String, Result<[String], any Error>).self) { group in
            for name in Set(names) {
                group.addTask {
                    do {
                        return (name, .success(try await resolver.resolve(name, deadline: isOnly ? deadline : half)))
                    } catch {
                        return (name, .failure(error))
                    }
                }
            }
            for await (name, result) in group {
                switch result {
                case .success(let addresses): found[name] = addresses
                case .failure(let error):
                    failure = error
                    found[name] = []
                }
            }
        }
        // One resolved host of several is enough.
        if let failure, found.values.allSatisfy(\.isEmpty) { throw failure }
        return found
    }
}
