import WhorlTelemetry

/// The metrics of a pool.
package struct PostgresMetrics: Sendable {
    private let up: Gauge?
    private let idle: Gauge
    private let busy: Gauge
    private let connecting: Gauge
    private let durations: MetricFamily<Histogram>
    private let errors: MetricFamily<Counter>

    /// Makes the metrics of a pool; with several pools, only one reports whether the database is available.
    package init(registry: MetricsRegistry, pool: String = "main", reportsAvailability: Bool = true) {
        up =
            reportsAvailability
            ? registry.gauge("whorl_db_up", "1 while the database answers, 0 while the breaker is open.") : nil
        let connections = registry.gauges("whorl_db_connections", "Connections of a pool.", labels: ["pool", "state"])
        idle = connections.child(pool, "idle")
        busy = connections.child(pool, "busy")
        connecting = connections.child(pool, "connecting")
        durations = registry.histograms(
            "whorl_db_query_duration_seconds",
            "Time of a database operation, including the wait for a connection.",
            labels: ["op"],
            limit: 40
        )
        errors = registry.counters(
            "whorl_db_errors_total",
            "Failed database operations by SQLSTATE class or kind of failure.",
            labels: ["class"],
            limit: 60
        )
        up?.set(1)
    }

    func connections(idle: Int, busy: Int, connecting: Int, isUp: Bool) {
        self.idle.set(Double(idle))
        self.busy.set(Double(busy))
        self.connecting.set(Double(connecting))
        up?.set(isUp ? 1 : 0)
    }

    func finished(_ operation: String, _ duration: Duration, error: PostgresError?) {
        durations.child(operation).observe(duration)
        if let error { errors.child(error.metricClass).increment() }
    }
}
