/// Adds up the time that the names of each project take, so that one sender cannot keep the reader busy.
///
/// A pure sum per minute. A project over its share has its names left mangled until the minute is over; others are not
/// affected. Ordinary names take some microseconds.
struct CostlyNames: Sendable {
    /// What the names of a project may take per minute.
    static let perMinute = Duration.milliseconds(400)
    private static let capacity = 10_000

    private var minute = 0
    private var times: [Int: Duration] = [:]

    /// Whether names of the project are still read.
    func allows(_ project: Int, minute: Int) -> Bool {
        self.minute != minute || times[project, default: .zero] < Self.perMinute
    }

    mutating func add(_ time: Duration, _ project: Int, minute: Int) {
        if self.minute != minute || times.count >= Self.capacity {
            self.minute = minute
            times = [:]
        }
        times[project, default: .zero] += time
    }
}
