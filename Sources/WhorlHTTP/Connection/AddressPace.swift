import NIOCore
import Synchronization
import WhorlTelemetry

/// How many requests of the server's own routes an address may make in a second; further ones wait for the next.
///
/// Health, metrics and unknown paths are answered to anybody. Thousands of them at once keep the event loops so busy that
/// new connections are not taken up for seconds. Requests that bring events have limits of their own.
package final class AddressPace: Sendable {
    /// Requests of an address in a second: a tenth of what a small machine answers.
    static let perSecond = 1_000
    /// Addresses that are remembered; when there are more, all begin anew.
    private static let capacity = 10_000

    private struct State {
        var second = NIODeadline.uptimeNanoseconds(0)
        var requests: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let delayed: Counter

    package init(registry: MetricsRegistry) {
        delayed = registry.counter(
            "whorl_http_requests_delayed_total",
            "Times that a request waited, since its address made too many in that second."
        )
    }

    /// How long a request has to wait; nil when it may go on, and then it is counted.
    func wait(_ address: String, now: NIODeadline) -> TimeAmount? {
        let wait = state.withLock { state -> TimeAmount? in
            if now - state.second >= .seconds(1) || state.requests.count >= Self.capacity {
                state.second = now
                state.requests.removeAll(keepingCapacity: true)
            }
            guard state.requests[address, default: 0] < Self.perSecond else {
                return .seconds(1) - (now - state.second)
            }
            state.requests[address, default: 0] += 1
            return nil
        }
        if wait != nil { delayed.increment() }
        return wait
    }
}
