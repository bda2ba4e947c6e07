import CWhorlPostgres
import Foundation
import Glibc
import Synchronization

/// One connection to Postgres, on a thread of its own.
///
/// Every wait is a `poll` on the socket with a deadline kept here: a server that is frozen answers neither `PQexec` nor
/// `PQcancel`, whatever `statement_timeout` says. After a missed deadline the connection is closed, and what the
/// statement did is unknown.
package actor PostgresConnection {
    private nonisolated let executor: ThreadExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Touched only on the connection's thread, and by `deinit`, when nobody else can.
    private nonisolated(unsafe) var connection: OpaquePointer?
    private var prepared: [String: String] = [:]
    /// Written to when the current task is cancelled, so that `poll` returns.
    private nonisolated let wake: Int32

    /// A cancel request travels on its own and may arrive late, so a connection that sent one is not used again.
    private var sentCancel = false

    /// How long a cancelled statement may take to say so before the connection is given up.
    private static let cancelGrace = Duration.milliseconds(500)

    private init() {
        executor = ThreadExecutor(name: "postgres")
        wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    }

    deinit {
        if let connection { PQfinish(connection) }
        if wake >= 0 { Glibc.close(wake) }
        executor.stop()
    }

    /// Connects, or throws when the deadline passes first; `session` is SQL that sets the connection up.
    package static func connect(
        _ url: String,
        session: String = "",
        deadline: ContinuousClock.Instant
    ) async throws -> PostgresConnection {
        let connection = PostgresConnection()
        try await connection.open(url, deadline: deadline)
        if !session.isEmpty { try await connection.script(session, deadline: deadline) }
        return connection
    }

    /// False once the connection broke or was closed; such a connection is thrown away.
    package var isUsable: Bool { !sentCancel && (connection.map { PQstatus($0) == CONNECTION_OK } ?? false) }

    /// Whether the server says that a transaction is open.
    package var isInTransaction: Bool {
        connection.map { PQtransactionStatus($0) != PQTRANS_IDLE } ?? false
    }

    package func close() {
        if let connection { PQfinish(connection) }
        connection = nil
        prepared = [:]
    }

    /// Runs a prepared statement, preparing it first where this connection has not done so yet.
    package func execute(
        _ statement: PostgresStatement,
        _ values: [PostgresValue] = [],
        deadline: ContinuousClock.Instant
    ) async throws -> PostgresRows {
        try await cancellable { [self] in
            let name = try prepare(statement, deadline: deadline)
            return try send(values, deadline: deadline) { connection, count, pointers, lengths, formats, _ in
                PQsendQueryPrepared(connection, name, count, pointers, lengths, formats, 1)
            }
        }
    }

    /// Runs SQL that was put together at run time; it is planned for this one call.
    package func execute(_ fragment: SQLFragment, deadline: ContinuousClock.Instant) async throws -> PostgresRows {
        try await cancellable { [self] in
            try send(fragment.values, deadline: deadline) { connection, count, pointers, lengths, formats, types in
                PQsendQueryParams(connection, fragment.sql, count, types, pointers, lengths, formats, 1)
            }
        }
    }

    /// Runs text of several statements without parameters, such as a migration; returns the rows of the last.
    @discardableResult
    package func script(_ sql: String, deadline: ContinuousClock.Instant) async throws -> PostgresRows {
        try await cancellable { [self] in
            guard let connection else { throw PostgresError(.connection, "the connection is closed") }
            guard PQsendQuery(connection, sql) == 1 else { throw broken() }
            return try collect(deadline: deadline)
        }
    }

    /// Asks the server to describe a statement, which shows that it fits the schema.
    package func check(_ statement: PostgresStatement, deadline: ContinuousClock.Instant) throws {
        _ = try prepare(statement, deadline: deadline)
    }

    /// Runs the body between BEGIN and COMMIT, and rolls back what it did when it throws.
    ///
    /// When COMMIT itself fails without an answer from the server, the outcome is unknown.
    package func transaction<Value: Sendable>(
        deadline: ContinuousClock.Instant,
        _ body: @Sendable (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await script("BEGIN", deadline: deadline)
        do {
            let value = try await body(self)
            try await script("COMMIT", deadline: deadline)
            return value
        } catch {
            // Rolled back even where the caller was cancelled: `abandon` does not look at the task.
            abandon(deadline: deadline)
            throw error
        }
    }

    // MARK: - On the thread

    private func abandon(deadline: ContinuousClock.Instant) {
        guard isUsable, isInTransaction, let connection else { return }
        guard PQsendQuery(connection, "ROLLBACK") == 1, (try? collect(deadline: deadline)) != nil else {
            close()
            return
        }
    }

    private func open(_ url: String, deadline: ContinuousClock.Instant) throws {
        guard let connection = PQconnectStart(url) else { throw PostgresError(.connection, "out of memory") }
        self.connection = connection
        guard PQstatus(connection) != CONNECTION_BAD else { throw broken() }
        var status = PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            switch status {
            case PGRES_POLLING_READING: try wait(for: Int16(POLLIN), deadline: deadline)
            case PGRES_POLLING_WRITING: try wait(for: Int16(POLLOUT), deadline: deadline)
            default: throw broken()
            }
            status = PQconnectPoll(connection)
        }
        PQsetnonblocking(connection, 1)
        // Notices would otherwise be written to stderr, between the lines of the log.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    private func prepare(_ statement: PostgresStatement, deadline: ContinuousClock.Instant) throws -> String {
        if let name = prepared[statement.sql] { return name }
        guard let connection else { throw PostgresError(.connection, "the connection is closed") }
        let name = "s\(prepared.count)"
        let types = statement.parameters.map(\.rawValue)
        guard PQsendPrepare(connection, name, statement.sql, Int32(types.count), types) == 1 else { throw broken() }
        _ = try collect(deadline: deadline)
        prepared[statement.sql] = name
        return name
    }

    private typealias Send = (
        OpaquePointer, Int32, UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>,
        UnsafePointer<UInt32>
    ) -> Int32

    private func send(
        _ values: [PostgresValue],
        deadline: ContinuousClock.Instant,
        _ call: Send
    ) throws -> PostgresRows {
        guard let connection else { throw PostgresError(.connection, "the connection is closed") }
        // libpq copies the parameters before the call returns, so one buffer for all of them is enough.
        var buffer: [UInt8] = []
        buffer.reserveCapacity(values.reduce(1) { $0 + ($1.bytes?.count ?? 0) })
        var offsets: [Int?] = []
        for value in values {
            offsets.append(value.bytes.map { _ in buffer.count })
            if let bytes = value.bytes { buffer.append(contentsOf: bytes) }
        }
        // An empty value needs a pointer too: null would mean SQL's null.
        buffer.append(0)
        let lengths = values.map { Int32(clamping: $0.bytes?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: values.count)
        let types = values.map(\.type.rawValue)
        let sent = buffer.withUnsafeBytes { raw in
            let base = raw.bindMemory(to: CChar.self).baseAddress
            let pointers = offsets.map { offset in offset.flatMap { base?.advanced(by: $0) } }
            return call(connection, Int32(values.count), pointers, lengths, formats, types)
        }
        guard sent == 1 else { throw broken() }
        return try collect(deadline: deadline)
    }

    /// Sends what is still buffered and reads until the server is done; the last result counts, the first error wins.
    private func collect(deadline: ContinuousClock.Instant) throws -> PostgresRows {
        var rows: PostgresRows?
        var failure: PostgresError?
        while let result = try nextResult(deadline: deadline) {
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                rows = PostgresRows(taking: result)
            default:
                let error = serverError(result)
                PQclear(result)
                if failure == nil { failure = error }
            }
        }
        if let failure {
            if !isUsable { close() }
            throw failure
        }
        return rows ?? PostgresRows(taking: nil)
    }

    private func nextResult(deadline: ContinuousClock.Instant) throws -> OpaquePointer? {
        guard let connection else { throw PostgresError(.connection, "the connection is closed") }
        while true {
            let unsent = PQflush(connection)
            if unsent < 0 { throw broken() }
            if unsent == 0, PQisBusy(connection) == 0 { return PQgetResult(connection) }
            try wait(for: Int16(POLLIN) | (unsent == 1 ? Int16(POLLOUT) : 0), deadline: deadline)
            if PQconsumeInput(connection) == 0 { throw broken() }
        }
    }

    /// Waits for the socket; closes the connection and throws when the deadline passes first.
    private func wait(for events: Int16, deadline: ContinuousClock.Instant) throws {
        guard let connection else { throw PostgresError(.connection, "the connection is closed") }
        var deadline = deadline
        var isCancelled = false
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            let milliseconds = Int32(
                clamping: Int(
                    (left.components.seconds * 1_000)
                        + left.components.attoseconds / 1_000_000_000_000_000 + 1
                )
            )
            if left <= .zero {
                // The server should not go on with what nobody waits for.
                if !isCancelled { Canceller.shared.cancel(connection) }
                close()
                throw isCancelled
                    ? PostgresError(.cancelled, "cancelled")
                    : PostgresError(.deadline, "no answer within the deadline")
            }
            var descriptors = [
                pollfd(fd: PQsocket(connection), events: events, revents: 0),
                pollfd(fd: isCancelled ? -1 : wake, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, 2, milliseconds)
            if ready < 0, errno != EINTR {
                close()
                throw PostgresError(.connection, "poll failed")
            }
            if descriptors[1].revents != 0 {
                isCancelled = true
                sentCancel = true
                deadline = min(deadline, ContinuousClock.now + Self.cancelGrace)
                Canceller.shared.cancel(connection)
            }
            if descriptors[0].revents != 0 { return }
        }
    }

    /// Runs the body on the connection's thread; while it waits, a cancelled task wakes it.
    private func cancellable<Value: Sendable>(_ body: () throws -> Value) async throws -> Value {
        var spent: UInt64 = 0
        _ = Glibc.read(wake, &spent, 8)
        let wake = self.wake
        return try await withTaskCancellationHandler {
            do {
                return try body()
            } catch let error as PostgresError where error.sqlState == "57014" && Task.isCancelled {
                throw PostgresError(.cancelled, "cancelled")
            }
        } onCancel: {
            var one: UInt64 = 1
            _ = Glibc.write(wake, &one, 8)
        }
    }

    private func broken() -> PostgresError {
        let message = connection.map { String(cString: PQerrorMessage($0)) } ?? "closed"
        close()
        return PostgresError(.connection, firstLine(message))
    }

    private func serverError(_ result: OpaquePointer) -> PostgresError {
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
        guard let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map({ String(cString: $0) }) else {
            return PostgresError(.connection, firstLine(String(cString: PQresultErrorMessage(result))))
        }
        return PostgresError(.server(state), firstLine(message ?? "unknown error"))
    }
}

private func firstLine(_ message: String) -> String {
    String(message.split(separator: "\n", maxSplits: 1).first ?? "unknown error")
}

/// Sends cancel requests from a thread of its own: `PQcancel` blocks for ever when the server is frozen, so nothing
/// may wait for it.
///
/// At most a few requests wait; what is over it is dropped, since the deadline closes the connection anyway.
private final class Canceller: Sendable {
    static let shared = Canceller()
    private let queue = DispatchQueue(label: "postgres.cancel")
    private let waiting = Mutex(0)
    private static let bound = 16

    private struct Request: @unchecked Sendable { let handle: OpaquePointer }

    func cancel(_ connection: OpaquePointer) {
        let admitted = waiting.withLock { count in
            if count >= Self.bound { return false }
            count += 1
            return true
        }
        guard admitted else { return }
        guard let handle = PQgetCancel(connection) else {
            waiting.withLock { $0 -= 1 }
            return
        }
        let request = Request(handle: handle)
        queue.async { [self] in
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(request.handle, &message, Int32(message.count))
            PQfreeCancel(request.handle)
            waiting.withLock { $0 -= 1 }
        }
    }
}
