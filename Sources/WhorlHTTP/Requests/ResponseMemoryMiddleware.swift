import HTTPTypes
import Hummingbird
import WhorlIngest
import WhorlTelemetry

/// Counts large responses against a memory budget until the peer has received them, with a share for each client
/// address.
///
/// A peer that does not read its responses holds no more than its share; further responses for it are refused.
package struct ResponseMemoryMiddleware: RouterMiddleware {
    package typealias Context = CollectorRequestContext

    /// Responses up to this size do not count, because the socket buffers them.
    private static var freeBytes: Int { 16 << 10 }
    /// The budget for all responses.
    ///
    /// The share of an address is a quarter, which is two of the largest pages. Responses up to 1 MiB and larger ones
    /// have separate shares.
    private static var bytes: Int { 72 << 20 }

    private let budget: MemoryBudget
    private let refused: Counter
    private let proxies: TrustedProxies

    package init(proxies: TrustedProxies, registry: MetricsRegistry) {
        self.proxies = proxies
        refused = registry.counter(
            "whorl_answer_memory_refused_total",
            "Responses refused because peers had not read earlier ones."
        )
        let budget = MemoryBudget(bytes: Self.bytes)
        self.budget = budget
        registry.observed("whorl_answer_memory_reserved_bytes", "Bytes reserved for responses until they are read.") {
            [(labels: [], value: Double(budget.used))]
        }
    }

    package func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        guard request.method != .head, let bytes = response.body.contentLength, bytes > Self.freeBytes else {
            return response
        }
        let network = proxies.network(peer: context.remoteAddress?.ipAddress, request.headers)
        let memory = budget.reservation(for: [.address(network)])
        // Does not wait, because the response occupies its memory while it waits.
        guard memory.tryGrow(to: bytes) else {
            refused.increment()
            return .problem(
                .serviceUnavailable,
                "Earlier responses to this address have not been read",
                [.retryAfter: "5"]
            )
        }
        response.body = ResponseBody(contentLength: bytes) { [body = response.body] writer in
            defer { memory.release() }
            try await body.write(writer)
            // If the connection is closed, nothing more is sent, so the memory is released as well.
            try? await context.channel.triggerUserOutboundEvent(ResponseDelivered()).get()
        }
        return response
    }
}
