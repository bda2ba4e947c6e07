import WhorlStore

/// What one collector may still spend of a limit that it shares with others, within one window of time.
///
/// A pure state machine. The collector takes parts of the limit from the database in the background and spends them
/// without asking. Until the first answer of a window it may spend the whole limit, and one part ahead after that, so
/// that no request waits and none is refused for being early; what was spent ahead counts against what is lent. While the database is away, a collector spends
/// the whole limit by itself.
struct LeasedBudget {
    /// A part that should be asked for.
    struct Wish: Equatable {
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

    /// Spends so much if there is so much; `now` is Unix time in seconds.
    mutating func spend(_ quantity: Int, of limit: CountLimit, at now: Int) -> (isAllowed: Bool, wish: Wish?) {
        enter(limit, now)
        attempted = attempted.saturatingAdd(quantity)
        let ahead = isExhausted ? 0 : isAnswered ? Self.part(of: limit) : limit.count
        guard quantity <= granted + ahead - spent else { return (false, wish(limit)) }
        spent += quantity
        return (true, wish(limit))
    }

    /// Whether so much was asked for that not even looking at requests is worth it.
    mutating func isFarOver(_ limit: CountLimit, times factor: Int, at now: Int) -> Bool {
        enter(limit, now)
        return attempted > limit.count.saturatingMultiply(factor)
    }

    /// Counts an attempt that was refused unseen.
    mutating func note(_ quantity: Int) { attempted = attempted.saturatingAdd(quantity) }

    /// Whether nothing is left in this window.
    mutating func isSpent(_ limit: CountLimit, at now: Int) -> Bool {
        enter(limit, now)
        return spent >= limit.count || isExhausted && spent >= granted
    }

    /// Takes the answer to a wish: how much was lent; nil when the database could not be asked.
    mutating func receive(_ lent: Int?, for wish: Wish, limit: CountLimit) {
        guard wish.windowStart == windowStart else { return }
        isLeasing = false
        isAnswered = true
        guard let lent else {
            granted = max(granted, limit.count)
            return
        }
        granted += lent
        if lent < wish.amount { isExhausted = true }
    }

    /// Whether the window of this budget is over, so that it can be forgotten.
    func isOver(_ limit: CountLimit, at now: Int) -> Bool { Self.start(of: limit, now) != windowStart }

    /// When the window began that holds a moment; months are 30 days long.
    static func start(of limit: CountLimit, _ now: Int) -> Int {
        now - ((now % limit.seconds) + limit.seconds) % limit.seconds
    }

    private mutating func enter(_ limit: CountLimit, _ now: Int) {
        // A clock that is set back begins another window, so that no limit sticks.
        guard Self.start(of: limit, now) != windowStart else { return }
        self = LeasedBudget()
        windowStart = Self.start(of: limit, now)
    }

    private mutating func wish(_ limit: CountLimit) -> Wish? {
        let part = Self.part(of: limit)
        guard !isLeasing, !isExhausted, granted < limit.count, granted - spent < part / 2 + 1 else { return nil }
        isLeasing = true
        return Wish(windowStart: windowStart, amount: min(max(part, spent - granted + part), limit.count - granted))
    }

    /// A tenth of the limit, ten at least.
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
