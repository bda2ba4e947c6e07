/// Why a request to Postgres did not succeed.
///
/// The description is safe to show in a log: it holds neither parameters nor rows nor the password of the URL. It may
/// name tables and hosts, so it does not belong into an answer.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure this is; decide by it, not by the message.
    package enum Code: Sendable, Equatable {
        /// The server could not be reached, or the connection broke. The outcome of a sent statement is unknown.
        case connection
        /// The deadline passed, and the server was silent for longer than its own limit of a statement allows. The
        /// outcome of a sent statement is unknown.
        case deadline
        /// The deadline passed while the server was within its limit of a statement: the transaction was too slow, not
        /// the server away. The outcome of a sent statement is unknown.
        case timeout
        /// The task was cancelled. The outcome of a sent statement is unknown.
        case cancelled
        /// The breaker is open: the server missed a deadline just now, so nothing was tried.
        case unavailable
        /// The queue for a connection is full, or the wait in it took too long. Nothing was sent.
        case poolExhausted
        /// The server refused, with this SQLSTATE.
        case server(String)
        /// A column was absent, null or of another type than asked for.
        case decoding
        /// Something else: a bad URL, a schema newer than the program.
        case other
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The five letters by which Postgres names an error, when the server sent it.
    package var sqlState: String? {
        if case .server(let state) = code { state } else { nil }
    }

    /// Whether another try of the whole transaction may succeed at once: deadlock, serialization, lock timeout.
    package var isTransient: Bool {
        switch sqlState {
        case "40P01", "40001", "55P03": true
        default: false
        }
    }

    /// Whether there was too little time, while the server answers: a slow statement, a lock, a distant server.
    package var isTooSlow: Bool { code == .timeout || sqlState == "57014" || sqlState == "55P03" }

    /// Whether the server, rather than the statement, is at fault: away, frozen, starting, full, out of connections.
    package var meansServerAway: Bool {
        switch code {
        case .connection, .deadline, .unavailable, .poolExhausted: true
        case .server(let state):
            // 08 connection, 53 resources, 57P operator intervention, 58 system error, 25006 read-only after failover.
            state.hasPrefix("08") || state.hasPrefix("53") || state.hasPrefix("57P") || state.hasPrefix("58")
                || state == "25006" || state == "28P01" || state == "XX001"
        case .timeout, .cancelled, .decoding, .other: false
        }
    }

    /// A word for the class of the error, for metrics: the first two letters of the SQLSTATE, or the kind of failure.
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
