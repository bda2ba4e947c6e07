import WhorlTelemetry

/// What a pool tells the monitoring.
package struct PostgresMetrics: Sendable {
    private let up: Gauge
    private let idle: Gauge
    private let busy: Gauge
    private let connecting: Gauge
    private let durations: MetricFamily<Histogram>
    private let errors: MetricFamily<Counter>

    package init(registry: MetricsRegistry) {
        up = registry.gauge("whorl_db_up", "1 while the database answers, 0 while the breaker is open.")
        let connections = registry.gauges("whorl_db_connections", "Connections of the pool.", labels: ["state"])
        idle = connections.child("idle")
        busy = connections.child("busy")
        connecting = connections.child("connecting")
        durations = registry.histograms(
            "whorl_db_query_duration_seconds",
            "Time of database work by operation, the wait for a connection included.",
            labels: ["op"],
            limit: 40
        )
        errors = registry.counters(
            "whorl_db_errors",
            "Failed database work by SQLSTATE class or kind of failure.",
            labels: ["class"],
            limit: 60
        )
        up.set(1)
    }

    func connections(idle: Int, busy: Int, connecting: Int, isUp: Bool) {
        self.idle.set(Double(idle))
        self.busy.set(Double(busy))
        self.connecting.set(Double(connecting))
        up.set(isUp ? 1 : 0)
    }

    func finished(_ operation: String, _ duration: Duration, error: PostgresError?) {
        durations.child(operation).observe(duration)
        if let error { errors.child(error.metricClass).increment() }
    }
}
