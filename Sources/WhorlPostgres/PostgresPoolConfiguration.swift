/// The limits of a connection pool.
package struct PostgresPoolConfiguration: Sendable {
    /// The maximum number of connections.
    package var size: Int
    /// The maximum number of tasks that wait for a connection; further requests are rejected immediately.
    package var maxWaiters: Int
    /// The time limit of a request, including the wait for a connection.
    package var timeout: Duration
    /// The time limit for connecting.
    package var connectTimeout: Duration
    /// SQL that every new connection runs first.
    package var session: String
    /// The idle time after which a connection is checked before it is lent, since the server may have closed it.
    package var trustedIdleTime: Duration

    package init(
        size: Int = 6,
        maxWaiters: Int = 1_000,
        timeout: Duration = .milliseconds(1_500),
        connectTimeout: Duration = .milliseconds(1_500),
        session: String = "",
        trustedIdleTime: Duration = .milliseconds(100)
    ) {
        self.size = size
        self.maxWaiters = maxWaiters
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.session = session
        self.trustedIdleTime = trustedIdleTime
    }
}
