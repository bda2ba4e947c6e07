import HTTPTypes
import Hummingbird
import NIOCore

/// The routes `/livez`, `/readyz` and `/health`, answered from the latest result of the ``HealthMonitor``.
package struct HealthRoutes: Sendable {
    private let monitor: HealthMonitor

    package init(monitor: HealthMonitor) { self.monitor = monitor }

    package func add<Context: RequestContext>(to router: Router<Context>) {
        for method in [HTTPRequest.Method.get, .head] {
            // A response shows that the process is alive; nothing else is checked.
            router.on("/livez", method: method) { _, _ in answer(true, "ok", "failing") }
            router.on("/readyz", method: method) { _, _ in
                let reasons = monitor.reasonsNotReady
                return answer(reasons.isEmpty, "ready", "not ready", reasons)
            }
            router.on("/health", method: method) { _, _ in
                answer(monitor.isDatabaseAnswering, "healthy", "unhealthy")
            }
        }
    }

    /// The response with its reasons, which are fixed strings and need no escaping.
    private func answer(_ isGood: Bool, _ good: String, _ bad: String, _ reasons: [String] = []) -> Response {
        let list = reasons.map { "\"\($0)\"" }.joined(separator: ",")
        let tail = reasons.isEmpty ? "" : #","reasons":[\#(list)]"#
        return Response(
            status: isGood ? .ok : .serviceUnavailable,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: #"{"status":"\#(isGood ? good : bad)"\#(tail)}"#))
        )
    }
}
