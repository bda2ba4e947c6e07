import WhorlTelemetry

/// The memory budgets that requests share.
///
/// Each stage has its own budget. With one common budget, two requests that each hold a part of it and wait for more
/// could deadlock.
struct IngestMemory: Sendable {
    /// For bodies while they arrive.
    let received: MemoryBudget
    /// For bodies once they are decoded.
    let inflated: MemoryBudget
    /// For copies of an event and its parsed values during processing.
    let working: MemoryBudget

    init(_ limits: IngestLimits, _ registry: MetricsRegistry) {
        let refused = registry.counters(
            "whorl_memory_refused_total",
            "Requests refused because the memory for bodies was not free in time.",
            labels: ["budget"]
        )
        // The largest body must fit in addition to the part that is reserved for small bodies.
        let received = MemoryBudget(
            bytes: max(limits.memoryBytes / 3, limits.bodyBytes * 8 / 7 + 1),
            refused: refused.child("received")
        )
        let inflated = MemoryBudget(
            bytes: max(limits.memoryBytes / 2, limits.inflatedBytes * 8 / 7 + 1),
            refused: refused.child("inflated")
        )
        let working = MemoryBudget(bytes: limits.memoryBytes / 3, refused: refused.child("working"))
        registry.observed("whorl_memory_reserved_bytes", "Bytes reserved for bodies.", labels: ["budget"]) {
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
