import CWhorlPostgres
import Foundation
import Glibc
import WhorlThreads

/// The blocking part of a connection: all calls into libpq that may wait for the network.
///
/// It belongs to the thread of its ``PostgresConnection``; in debug builds, methods check that they run there. Every
/// wait is a `poll` on the socket with a client-side deadline.
final class PostgresSession {
    /// The time that a cancelled statement has to end before the connection is closed.
    private static let cancelGrace = Duration.milliseconds(500)

    private let thread: ThreadExecutor
    /// A descriptor that is written to when the current task is cancelled, so that `poll` returns.
    private let wake: Int32
    private var connection: OpaquePointer?
    private var prepared: [String: String] = [:]
    /// The password, which must not appear in an error.
    private var secret: String?
    /// `statement_timeout` of the session, in milliseconds; nil while it is not set.
    private var statementLimit: Int?
    /// The time when the current statement was sent.
    private var sentAt = ContinuousClock.now
    /// The time when a cancelled statement is given up; the same for all waits of the statement.
    private var cancelDeadline: ContinuousClock.Instant?
    /// Whether a cancel request was sent; it may arrive late, so such a connection is not used again.
    private var sentCancel = false

    init(thread: ThreadExecutor, wake: Int32) {
        self.thread = thread
        self.wake = wake
    }

    deinit { if let connection { PQfinish(connection) } }

    /// False after the connection broke, was closed or sent a cancel request.
    var isUsable: Bool { !sentCancel && (connection.map { PQstatus($0) == CONNECTION_OK } ?? false) }

    /// `POLLRDHUP` of Linux, which Swift's Glibc module does not provide.
    private static let peerHasClosed: Int16 = 0x2000

    /// Whether the connection is usable and the server has not closed it.
    ///
    /// Queries the kernel without waiting.
    var isAlive: Bool {
        guard isUsable, let connection else { return false }
        var state = pollfd(fd: PQsocket(connection), events: Self.peerHasClosed, revents: 0)
        return Glibc.poll(&state, 1, 0) == 0
    }

    /// Whether a transaction is open, as reported by the server.
    var isInTransaction: Bool { connection.map { PQtransactionStatus($0) != PQTRANS_IDLE } ?? false }

    /// Clears the cancellation of an earlier task; the caller checks its own task afterwards.
    func clearWakeups() {
        var spent: UInt64 = 0
        _ = Glibc.read(wake, &spent, 8)
    }

    func close() {
        if let connection { PQfinish(connection) }
        connection = nil
        prepared = [:]
    }

    // MARK: - Connecting

    /// Connects, then runs the SQL that sets up the session.
    func open(
        _ target: ConnectionTarget,
        _ addresses: [String: [String]],
        session: String,
        deadline: ContinuousClock.Instant
    ) throws {
        thread.assertIsCurrent()
        secret = target.secret
        sentAt = .now
        try start(target.keywords(addresses))
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
        if !session.isEmpty { try script(session, deadline: deadline) }
    }

    private func start(_ keywords: [(String, String)]) throws {
        let names = keywords.map { strdup($0.0) } + [nil]
        let values = keywords.map { strdup($0.1) } + [nil]
        defer { for text in names + values { free(text) } }
        connection = names.map { UnsafePointer($0) }
            .withUnsafeBufferPointer { names in
                values.map { UnsafePointer($0) }
                    .withUnsafeBufferPointer { PQconnectStartParams(names.baseAddress, $0.baseAddress, 0) }
            }
        guard connection != nil else { throw PostgresError(.connection, "out of memory") }
        guard PQstatus(connection) != CONNECTION_BAD else { throw broken() }
    }

    // MARK: - Statements

    func execute(
        _ statement: PostgresStatement,
        _ values: [PostgresValue],
        deadline: ContinuousClock.Instant
    ) throws -> PostgresRows {
        try begin(deadline: deadline)
        let name = try prepare(statement, deadline: deadline)
        return try send(values, deadline: deadline) { connection, count, pointers, lengths, formats, _ in
            PQsendQueryPrepared(connection, name, count, pointers, lengths, formats, 1)
        }
    }

    func execute(_ fragment: SQLFragment, deadline: ContinuousClock.Instant) throws -> PostgresRows {
        try begin(deadline: deadline)
        return try send(fragment.values, deadline: deadline) { connection, count, pointers, lengths, formats, types in
            PQsendQueryParams(connection, fragment.sql, count, types, pointers, lengths, formats, 1)
        }
    }

    @discardableResult
    func script(_ sql: String, deadline: ContinuousClock.Instant) throws -> PostgresRows {
        try begin(deadline: deadline)
        return try query(sql, deadline: deadline)
    }

    /// Prepares a statement, to check that it matches the schema.
    func check(_ statement: PostgresStatement, deadline: ContinuousClock.Instant) throws {
        try begin(deadline: deadline)
        _ = try prepare(statement, deadline: deadline)
    }

    /// Rolls back an open transaction; closes the connection when that fails.
    ///
    /// A cancelled task does not prevent the rollback.
    func rollBack(deadline: ContinuousClock.Instant) {
        thread.assertIsCurrent()
        guard isUsable, isInTransaction else { return }
        clearWakeups()
        cancelDeadline = nil
        if (try? query("ROLLBACK", deadline: deadline)) == nil { close() }
    }

    /// Sets the server's statement timeout, only outside of transactions, because a rollback would undo it.
    private func begin(deadline: ContinuousClock.Instant) throws {
        thread.assertIsCurrent()
        cancelDeadline = nil
        guard let connection, PQtransactionStatus(connection) == PQTRANS_IDLE,
            let limit = StatementLimit.change(
                from: statementLimit,
                left: ContinuousClock.now.duration(to: deadline)
            )
        else { return }
        _ = try query("SET statement_timeout = \(limit)", deadline: deadline)
        statementLimit = limit
    }

    private func query(_ sql: String, deadline: ContinuousClock.Instant) throws -> PostgresRows {
        let connection = try opened()
        guard PQsendQuery(connection, sql) == 1 else { throw broken() }
        return try collect(deadline: deadline)
    }

    private func prepare(_ statement: PostgresStatement, deadline: ContinuousClock.Instant) throws -> String {
        if let name = prepared[statement.sql] { return name }
        let connection = try opened()
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
        let connection = try opened()
        // libpq copies the parameters before the call returns, so one buffer for all of them is enough.
        var buffer: [UInt8] = []
        buffer.reserveCapacity(values.reduce(1) { $0 + ($1.bytes?.count ?? 0) })
        var offsets: [Int?] = []
        for value in values {
            offsets.append(value.bytes.map { _ in buffer.count })
            if let bytes = value.bytes { buffer.append(contentsOf: bytes) }
        }
        // An empty value needs a pointer too, because a null pointer means SQL null.
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

    private func opened() throws -> OpaquePointer {
        guard let connection else { throw PostgresError(.connection, "the connection is closed") }
        return connection
    }

    // MARK: - Waiting

    /// Sends buffered data and reads until the server is done; returns the last result or throws the first error.
    private func collect(deadline: ContinuousClock.Instant) throws -> PostgresRows {
        sentAt = .now
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
        let connection = try opened()
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
        thread.assertIsCurrent()
        let connection = try opened()
        while true {
            let end = min(deadline, cancelDeadline ?? deadline)
            let left = ContinuousClock.now.duration(to: end)
            if left <= .zero { throw overdue(connection) }
            var descriptors = [
                pollfd(fd: PQsocket(connection), events: events, revents: 0),
                pollfd(fd: cancelDeadline == nil ? wake : -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, 2, Int32(clamping: Int(left / .milliseconds(1)) + 1))
            if ready < 0, errno != EINTR {
                close()
                throw PostgresError(.connection, "poll failed")
            }
            if descriptors[1].revents != 0 {
                sentCancel = true
                cancelDeadline = .now + Self.cancelGrace
                Canceller.shared.cancel(connection)
            }
            if descriptors[0].revents != 0 { return }
        }
    }

    private func overdue(_ connection: OpaquePointer) -> PostgresError {
        defer { close() }
        if cancelDeadline != nil { return PostgresError(.cancelled, "cancelled") }
        // The server should not continue a statement that no caller waits for.
        Canceller.shared.cancel(connection)
        return StatementLimit.isExceeded(statementLimit, after: sentAt.duration(to: .now))
            ? PostgresError(.deadline, "no answer within the deadline")
            : PostgresError(.timeout, "the transaction did not finish within the deadline")
    }

    // MARK: - Errors

    private func broken() -> PostgresError {
        let message = connection.map { String(cString: PQerrorMessage($0)) } ?? "closed"
        close()
        return PostgresError(.connection, shown(message))
    }

    private func serverError(_ result: OpaquePointer) -> PostgresError {
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
        guard let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map({ String(cString: $0) }) else {
            return PostgresError(.connection, shown(String(cString: PQresultErrorMessage(result))))
        }
        return PostgresError(.server(state), shown(message ?? "unknown error"))
    }

    /// The first line of a message, without the password of the URL.
    private func shown(_ message: String) -> String {
        let line = String(message.split(separator: "\n", maxSplits: 1).first ?? "unknown error")
        guard let secret, !secret.isEmpty else { return line }
        return line.replacingOccurrences(of: secret, with: "…")
    }
}
