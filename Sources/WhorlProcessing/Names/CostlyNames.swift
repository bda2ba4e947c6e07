/// Counts the names of each project that were over their limits, so that one sender cannot keep the reader busy.
///
/// A pure count per minute. A project over its share has its names left mangled until the minute is over; others are not
/// affected.
struct CostlyNames: Sendable {
    /// Names over their limits that a project may send per minute: each takes 20 ms.
    static let perMinute = 20
    private static let capacity = 10_000

    private var minute = 0
    private var counts: [Int: Int] = [:]

    /// Whether names of the project are still read.
    func allows(_ project: Int, minute: Int) -> Bool {
        self.minute != minute || counts[project, default: 0] < Self.perMinute
    }

    mutating func add(_ project: Int, minute: Int) {
        if self.minute != minute || counts.count >= Self.capacity {
            self.minute = minute
            counts = [:]
        }
        counts[project, default: 0] += 1
    }
}
