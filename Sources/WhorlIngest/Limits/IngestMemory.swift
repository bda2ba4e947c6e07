import WhorlTelemetry

/// The budgets of memory that requests share.
///
/// The budgets are separate, so that two requests that each hold a part of one and wait for the other cannot deadlock.
struct IngestMemory: Sendable {
    /// For bodies while they arrive.
    let received: MemoryBudget
    /// For bodies once they are decoded.
    let inflated: MemoryBudget
    /// For copies of an event and the lists of its values while it is read.
    let working: MemoryBudget

    init(_ limits: IngestLimits, _ registry: MetricsRegistry) {
        let refused = registry.counters(
            "whorl_memory_refused_total",
            "Requests refused since the memory for bodies was not free in time.",
            labels: ["budget"]
        )
        // The largest body has to fit, beside what is kept for small ones.
        let received = MemoryBudget(
            bytes: max(limits.memoryBytes / 3, limits.bodyBytes * 8 / 7 + 1),
            refused: refused.child("received")
        )
        let inflated = MemoryBudget(
            bytes: max(limits.memoryBytes / 2, limits.inflatedBytes * 8 / 7 + 1),
            refused: refused.child("inflated")
        )
        let working = MemoryBudget(bytes: limits.memoryBytes / 3, refused: refused.child("working"))
        registry.observed("whorl_memory_reserved_bytes", "Bytes held for bodies.", labels: ["budget"]) {
            [
                (["received"], Double(received.used)), (["inflated"], Double(inflated.used)),
                (["working"], Double(working.used)),
            ]
        }
        self.received = received
        self.inflated = inflated
        self.working = working
    }
}
