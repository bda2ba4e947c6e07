/// Limits the demangling time of each project per minute, so that one sender cannot use all of it.
///
/// When a project exceeds its limit, its names stay mangled until the end of the minute. Other projects are not
/// affected. Normal names take a few microseconds.
struct DemanglingBudget: Sendable {
    /// The maximum demangling time of a project per minute.
    static let perMinute = Duration.milliseconds(400)
    private static let capacity = 10_000

    private var minute = 0
    private var times: [Int: Duration] = [:]

    /// Whether the project is within its limit.
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
