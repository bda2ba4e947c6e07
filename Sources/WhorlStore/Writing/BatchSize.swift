/// How many events the next batch may hold.
///
/// A batch that misses its deadline is too large for this database at this moment: half of it is tried next. Each batch
/// that is stored at full size lets the next one be twice as large, up to the maximum.
struct BatchSize: Sendable {
    private let maximum: Int
    private(set) var events: Int

    init(maximum: Int) {
        self.maximum = maximum
        events = maximum
    }

    mutating func missedDeadline(_ count: Int) {
        // A batch from before an earlier miss says nothing of the present size.
        guard count <= events || events == 1 else { return }
        events = max(min(events, count) / 2, 1)
    }

    mutating func stored(_ count: Int) {
        guard count >= events, events < maximum else { return }
        events = min(events * 2, maximum)
    }
}
