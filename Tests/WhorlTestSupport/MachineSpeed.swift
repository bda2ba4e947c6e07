import Foundation
import Synchronization

/// How much slower this machine is at the moment than the idle machine for which the time bounds of tests were chosen.
///
/// Tests multiply their time bounds by this factor, so that no result depends on the load or the age of the machine.
/// `make bench` and `make hostile` measure absolute times.
package enum MachineSpeed {
    /// The duration of ``work()`` in a debug build on an idle core of 2020.
    private static let nominal = Duration.milliseconds(9)

    private static let last = Mutex<(factor: Double, at: ContinuousClock.Instant)?>(nil)

    /// The factor, measured at most five seconds ago; 1 on a machine that is at least as fast.
    package static var factor: Double {
        last.withLock { last in
            if let last, last.at.duration(to: .now) < .seconds(5) { return last.factor }
            let factor = measured
            last = (factor, .now)
            return factor
        }
    }

    private static var measured: Double {
        let clock = ContinuousClock()
        // The slowest of five runs, because other processes use the core only in time slices.
        let times = (0..<5).map { _ in clock.measure { work() } }.max() ?? nominal
        let wake = clock.measure { Thread.sleep(forTimeInterval: 0.005) } - .milliseconds(5)
        let slowness = max(times / nominal, 1) + max(wake / .milliseconds(10), 0)
        // The load of a busy machine varies, so the factor includes a margin.
        return slowness < 1.3 ? 1 : 1 + (slowness - 1) * 3
    }

    @inline(never)
    private static func work() {
        var sum = 0
        for number in 0..<2_000_000 { sum = (sum &* 31) ^ number }
        if sum == 42 { print(sum) }
    }
}

/// A time bound scaled to the current speed of this machine.
package func scaledBound(_ time: Duration) -> Duration { time * MachineSpeed.factor }
