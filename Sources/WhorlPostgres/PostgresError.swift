/// An error of a request to Postgres.
///
/// The description is safe to log: it contains neither parameters nor rows nor the password of the URL. It may contain
/// names of tables and hosts, so it must not be part of a response.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; decisions depend on it and not on the message.
    package enum Code: Sendable, Equatable {
        /// The server could not be reached, or the connection broke.
        ///
        /// The outcome of a sent statement is unknown.
        case connection
        /// The deadline passed, and the server was silent for longer than its own statement timeout allows.
        ///
        /// The outcome of a sent statement is unknown.
        case deadline
        /// The deadline passed while the server was within its statement timeout: the transaction was too slow, but the
        /// server is available.
        ///
        /// The outcome of a sent statement is unknown.
        case timeout
        /// The task was cancelled.
        ///
        /// The outcome of a sent statement is unknown.
        case cancelled
        /// The breaker is open because the server recently missed a deadline, so nothing was sent.
        case unavailable
        /// The queue for a connection is full, or the wait took too long, so nothing was sent.
        case poolExhausted
        /// The server returned an error with this SQLSTATE.
        case server(String)
        /// A column was missing, null or of another type than requested.
        case decoding
        /// Another failure, such as a malformed URL or a schema newer than the program.
        case other
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The five-character SQLSTATE, when the server sent the error.
    package var sqlState: String? {
        if case .server(let state) = code { state } else { nil }
    }

    /// Whether an immediate retry of the whole transaction may succeed: deadlock, serialization failure, lock timeout.
    package var isTransient: Bool {
        switch sqlState {
        case "40P01", "40001", "55P03": true
        default: false
        }
    }

    /// Whether the time was too short although the server answers: a slow statement, a lock, a distant server.
    package var isTooSlow: Bool { code == .timeout || sqlState == "57014" || sqlState == "55P03" }

    /// Whether the server is at fault rather than the statement: unavailable, frozen, starting, full, out of
    /// connections.
    package var meansServerUnavailable: Bool {
        switch code {
        case .connection, .deadline, .unavailable, .poolExhausted: true
        case .server(let state):
            // 08 connection, 53 resources, 57P operator intervention, 58 system error, 25006 read-only after failover.
            state.hasPrefix("08") || state.hasPrefix("53") || state.hasPrefix("57P") || state.hasPrefix("58")
                || state == "25006" || state == "28P01" || state == "XX001"
        case .timeout, .cancelled, .decoding, .other: false
        }
    }

    /// The class of the error for metrics: the first two characters of the SQLSTATE, or the kind of failure.
    package var metricClass: String {
        switch code {
        case .connection: "connection"
        case .deadline: "deadline"
        case .timeout: "timeout"
        case .cancelled: "cancelled"
        case .unavailable: "unavailable"
        case .poolExhausted: "pool"
        case .server(let state): String(state.prefix(2))
        case .decoding: "decoding"
        case .other: "other"
        }
    }

    package var description: String {
        if case .server(let state) = code { return "Postgres error \(state): \(message)" }
        return "Postgres: \(message)"
    }
}
