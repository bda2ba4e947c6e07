import Foundation

/// How much slower this machine is at the moment than the idle one for which the bounds of tests were chosen.
///
/// A bound on time in a test is multiplied by this factor, so that no verdict depends on how busy or how old the machine
/// is. Absolute times are the subject of `make bench` and `make hostile`.
package enum MachinePace {
    /// Time of ``work()`` in a debug build on an idle core of 2020.
    private static let nominal = Duration.milliseconds(9)

    /// The factor, measured now; 1 on a machine that is at least as fast.
    package static var factor: Double {
        let clock = ContinuousClock()
        // The slowest of a few: a neighbour takes its turns in slices.
        let times = (0..<5).map { _ in clock.measure { work() } }.max() ?? nominal
        let wake = clock.measure { Thread.sleep(forTimeInterval: 0.005) } - .milliseconds(5)
        let slowness = max(times / nominal, 1) + max(wake / .milliseconds(10), 0)
        // A busy machine is busier at some moments than at this one.
        return slowness < 1.3 ? 1 : 1 + (slowness - 1) * 3
    }

    @inline(never)
    private static func work() {
        var sum = 0
        for number in 0..<2_000_000 { sum = (sum &* 31) ^ number }
        if sum == 42 { print(sum) }
    }
}

/// A bound on time for this machine as it is now.
package func allowed(_ time: Duration) -> Duration { time * MachinePace.factor }
