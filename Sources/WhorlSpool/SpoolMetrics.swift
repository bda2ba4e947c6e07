import WhorlTelemetry

/// The metrics of a spool.
struct SpoolMetrics: Sendable {
    private let records: Gauge
    private let bytes: Gauge
    private let oldest: Gauge
    private let deadLetters: Gauge
    let refused: Counter
    let replayed: Counter
    let quarantined: Counter
    let writeErrors: Counter
    let damagedFiles: Counter

    init(registry: MetricsRegistry, capacity: Int) {
        records = registry.gauge("whorl_spool_records", "Events on disk that wait for the database.")
        bytes = registry.gauge("whorl_spool_bytes", "Size of the waiting events and the dead letters.")
        registry.gauge("whorl_spool_capacity_bytes", "Limit of whorl_spool_bytes.").set(Double(capacity))
        oldest = registry.gauge(
            "whorl_spool_oldest_timestamp_seconds",
            "When the oldest waiting event arrived, by Unix time; 0 while none waits."
        )
        deadLetters = registry.gauge("whorl_spool_dead_letters", "Events set aside because they cannot be stored.")
        refused = registry.counter("whorl_spool_refused_total", "Events refused by a full spool.")
        replayed = registry.counter("whorl_spool_replayed_total", "Events taken from the spool into the database.")
        quarantined = registry.counter("whorl_spool_quarantined_total", "Events set aside as dead letters.")
        writeErrors = registry.counter("whorl_spool_write_errors_total", "Commits to the spool that failed.")
        damagedFiles = registry.counter(
            "whorl_spool_damaged_files_total",
            "Spool files that were damaged and set aside."
        )
    }

    func report(_ totals: SpoolTotals) {
        records.set(Double(totals.records))
        bytes.set(Double(totals.bytes))
        deadLetters.set(Double(totals.deadLetters))
        oldest.set(totals.oldest.map { Double($0) / 1_000_000 } ?? 0)
    }
}
