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
    /// A connection that was idle for longer is checked before it is lent: the server may have ended it.
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
