import NIOCore
import Synchronization
import WhorlTelemetry

/// Limits the requests per second that one address may send to the server's own routes; further ones wait for the next
/// second.
///
/// Health, metrics and unknown paths are answered without credentials. Thousands of such requests at once keep the
/// event loops so busy that new connections are not accepted for seconds. Ingest requests have limits of their own.
package final class AddressRequestLimiter: Sendable {
    /// Requests per address and second: a tenth of what a small machine answers.
    static let perSecond = 1_000
    /// Maximum number of tracked addresses; if there are more, all counts are reset.
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
            "Delays of requests because their address sent too many in that second."
        )
    }

    /// How long a request must wait; nil if it may proceed, and then it is counted.
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
