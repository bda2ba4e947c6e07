import WhorlTelemetry

/// The metrics of ``EventWriter``.
struct WriterMetrics: Sendable {
    let queued: Gauge
    let refused: Counter
    let failed: Counter
    let overdue: Counter
    private let batchSize: Histogram
    private let duration: Histogram

    init(registry: MetricsRegistry, capacity: Int) {
        let length = registry.gauges("whorl_queue_length", "Entries waiting in a queue.", labels: ["queue"])
        let limits = registry.gauges("whorl_queue_capacity", "Entries that a queue can hold.", labels: ["queue"])
        queued = length.child("events")
        limits.child("events").set(Double(capacity))
        refused = registry.counters("whorl_queue_refused_total", "Entries refused by a full queue.", labels: ["queue"])
            .child("events")
        failed = registry.counter("whorl_db_failed_batches_total", "Batches of events that could not be stored.")
        overdue = registry.counter("whorl_queue_overdue_total", "Events that waited too long for a writer.")
        batchSize = registry.histogram(
            "whorl_db_commit_batch_size",
            "Events of a committed batch.",
            bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500]
        )
        duration = registry.histogram("whorl_db_commit_duration_seconds", "Time to store and commit a batch.")
    }

    func committed(_ events: Int, _ time: Duration) {
        batchSize.observe(Double(events))
        duration.observe(time)
    }
}
