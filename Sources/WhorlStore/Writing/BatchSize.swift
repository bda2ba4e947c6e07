/// The maximum number of events of the next batch.
///
/// It is halved when a batch misses its deadline, because the batch was too large for the database at that time. It is
/// doubled, up to the configured maximum, when a batch of the full size is stored.
struct BatchSize: Sendable {
    private let maximum: Int
    private(set) var events: Int

    init(maximum: Int) {
        self.maximum = maximum
        events = maximum
    }

    mutating func missedDeadline(_ count: Int) {
        // Ignores a batch that is larger than the current maximum: it started before an earlier miss.
        guard count <= events || events == 1 else { return }
        events = max(min(events, count) / 2, 1)
    }

    mutating func stored(_ count: Int) {
        guard count >= events, events < maximum else { return }
        events = min(events * 2, maximum)
    }
}
