import Foundation
import Synchronization
import WhorlProcessing
import WhorlTelemetry

/// Counts open connections, in total and by peer address, and the reasons why connections are closed early.
package final class ConnectionCount: Sendable {
    /// The open connections, in total and by address; an entry is removed with its last connection.
    private struct State {
        var open = 0
        var byAddress: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let maximum: Int
    private let maximumPerAddress: Int
    private let isExempt: @Sendable (String) -> Bool
    private let gauge: Gauge
    private let refused: MetricFamily<Counter>
    let timeouts: MetricFamily<Counter>
    let malformed: Counter

    /// Creates a count with limits in total and per address; proxies are exempt from the limit per address.
    package init(
        maximum: Int,
        maximumPerAddress: Int,
        isExempt: @escaping @Sendable (String) -> Bool,
        registry: MetricsRegistry
    ) {
        self.maximum = maximum
        self.maximumPerAddress = maximumPerAddress
        self.isExempt = isExempt
        gauge = registry.gauge("whorl_http_connections", "Open connections.")
        refused = registry.counters(
            "whorl_http_connections_refused_total",
            "Connections closed immediately because there were too many, in total or from one address.",
            labels: ["reason"]
        )
        for reason in ["total", "address"] { _ = refused.child(reason) }
        timeouts = registry.counters(
            "whorl_http_timeouts_total",
            "Connections closed because a part of a request or its response took too long.",
            labels: ["part"]
        )
        malformed = registry.counter("whorl_http_malformed_requests_total", "Malformed HTTP requests.")
    }

    /// Counts a new connection from an address; false if there are too many, and it must be closed.
    ///
    /// Each call must be followed by ``closed(_:)``.
    func opened(_ address: String?) -> Bool {
        let network = address.map(AddressNetwork.name)
        let isBounded = !(address.map(isExempt) ?? true)
        let (now, reason) = state.withLock { state -> (Int, String?) in
            state.open += 1
            var reason = state.open > maximum ? "total" : nil
            if let network {
                state.byAddress[network, default: 0] += 1
                if isBounded, state.byAddress[network, default: 0] > maximumPerAddress { reason = reason ?? "address" }
            }
            return (state.open, reason)
        }
        gauge.set(Double(now))
        if let reason { refused.child(reason).increment() }
        return reason == nil
    }

    func closed(_ address: String?) {
        let network = address.map(AddressNetwork.name)
        let now = state.withLock { state in
            state.open -= 1
            if let network, let count = state.byAddress[network] {
                state.byAddress[network] = count > 1 ? count - 1 : nil
            }
            return state.open
        }
        gauge.set(Double(now))
    }
}
