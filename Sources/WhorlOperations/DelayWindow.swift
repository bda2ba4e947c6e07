/// The worst delay of each of the last sixty seconds: a ring buffer of fixed size.
struct DelayWindow: Sendable {
    /// The number of seconds in the window.
    static let seconds = 60

    private var worst = [Duration](repeating: .zero, count: seconds)
    /// The second to which each slot belongs.
    private var owner = [Int](repeating: .min, count: seconds)

    /// Records a delay that ended in `second`; seconds never decrease.
    mutating func record(_ delay: Duration, at second: Int) {
        let place = second % Self.seconds
        if owner[place] != second {
            owner[place] = second
            worst[place] = .zero
        }
        worst[place] = max(worst[place], delay)
    }

    /// The worst delay of the last `count` seconds, up to `second`.
    func worst(ofLast count: Int, at second: Int) -> Duration {
        (0..<Self.seconds)
            .reduce(.zero) { result, place in
                owner[place] > second - count && owner[place] <= second ? max(result, worst[place]) : result
            }
    }
}
