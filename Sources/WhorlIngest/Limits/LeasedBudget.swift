import WhorlStore

/// The part of a shared limit that one collector may still spend within one time window.
///
/// A pure state machine. The collector leases parts of the limit from the database in the background and spends them
/// without asking. Before the first response of a window it may spend the whole limit. After that it may spend one part
/// in advance. So no request waits, and none is refused because a lease is late. Amounts spent in advance count against
/// later leases. While the database is unavailable, a collector spends the whole limit by itself.
struct LeasedBudget {
    /// A part of the limit to be leased from the database.
    struct LeaseRequest: Equatable {
        let windowStart: Int
        let amount: Int
    }

    private var windowStart = Int.min
    private var spent = 0
    private var attempted = 0
    private var granted = 0
    private var isLeasing = false
    private var isExhausted = false
    private var isAnswered = false

    /// Spends `quantity` if that much is left; `now` is Unix time in seconds.
    mutating func spend(_ quantity: Int, of limit: CountLimit, at now: Int) -> (isAllowed: Bool, request: LeaseRequest?)
    {
        enter(limit, now)
        attempted = attempted.saturatingAdd(quantity)
        let ahead = isExhausted ? 0 : isAnswered ? Self.part(of: limit) : limit.count
        guard quantity <= granted + ahead - spent else { return (false, request(limit)) }
        spent += quantity
        return (true, request(limit))
    }

    /// Whether the attempts exceed `factor` times the limit, so that requests are refused without being read.
    mutating func isFarOver(_ limit: CountLimit, times factor: Int, at now: Int) -> Bool {
        enter(limit, now)
        return attempted > limit.count.saturatingMultiply(factor)
    }

    /// Counts attempts that were refused without being read.
    mutating func note(_ quantity: Int) { attempted = attempted.saturatingAdd(quantity) }

    /// Whether nothing is left in this window.
    mutating func isSpent(_ limit: CountLimit, at now: Int) -> Bool {
        enter(limit, now)
        return spent >= limit.count || isExhausted && spent >= granted
    }

    /// Applies the result of a lease: the leased amount, or nil if the database was unavailable.
    mutating func receive(_ lent: Int?, for request: LeaseRequest, limit: CountLimit) {
        guard request.windowStart == windowStart else { return }
        isLeasing = false
        isAnswered = true
        guard let lent else {
            granted = max(granted, limit.count)
            return
        }
        granted += lent
        if lent < request.amount { isExhausted = true }
    }

    /// Whether the window of this budget is over, so that the budget can be removed.
    func isOver(_ limit: CountLimit, at now: Int) -> Bool { Self.start(of: limit, now) != windowStart }

    /// The start of the window that contains `now`; a month counts as 30 days.
    static func start(of limit: CountLimit, _ now: Int) -> Int {
        now - ((now % limit.seconds) + limit.seconds) % limit.seconds
    }

    private mutating func enter(_ limit: CountLimit, _ now: Int) {
        // A clock that is set back starts a new window, so that no limit stays exhausted.
        guard Self.start(of: limit, now) != windowStart else { return }
        self = LeasedBudget()
        windowStart = Self.start(of: limit, now)
    }

    private mutating func request(_ limit: CountLimit) -> LeaseRequest? {
        let part = Self.part(of: limit)
        guard !isLeasing, !isExhausted, granted < limit.count, granted - spent < part / 2 + 1 else { return nil }
        isLeasing = true
        return LeaseRequest(
            windowStart: windowStart,
            amount: min(max(part, spent - granted + part), limit.count - granted)
        )
    }

    /// The size of one lease: a tenth of the limit, but at least ten.
    static func part(of limit: CountLimit) -> Int { min(max(limit.count / 10, 10), limit.count) }
}

extension Int {
    func saturatingAdd(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    func saturatingMultiply(_ other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
