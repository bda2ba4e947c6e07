import HTTPTypes
import Hummingbird
import WhorlIngest
import WhorlTelemetry

/// Charges large answers to a budget until the peer has taken them, in fair shares of the clients' addresses.
///
/// A peer that does not read its answers holds no more than its share; further answers for it are refused.
package struct AnswerMemory: RouterMiddleware {
    package typealias Context = CollectorRequestContext

    /// Answers up to this size are left to the buffer of the socket.
    private static var freeBytes: Int { 16 << 10 }
    /// All answers together; a quarter, the share of an address, is two of the largest pages.
    ///
    /// Answers up to 1 MiB and larger ones have shares of their own.
    private static var bytes: Int { 72 << 20 }

    private let budget: MemoryBudget
    private let refused: Counter
    private let proxies: TrustedProxies

    package init(proxies: TrustedProxies, registry: MetricsRegistry) {
        self.proxies = proxies
        refused = registry.counter(
            "whorl_answer_memory_refused_total",
            "Answers refused since peers had not read earlier ones."
        )
        let budget = MemoryBudget(bytes: Self.bytes)
        self.budget = budget
        registry.observed("whorl_answer_memory_reserved_bytes", "Bytes held for answers until they are read.") {
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
        // Without waiting: the answer itself takes the memory that it would wait for.
        guard memory.tryGrow(to: bytes) else {
            refused.increment()
            return .problem(
                .serviceUnavailable,
                "Earlier answers for this address have not been read",
                [.retryAfter: "5"]
            )
        }
        response.body = ResponseBody(contentLength: bytes) { [body = response.body] writer in
            defer { memory.release() }
            try await body.write(writer)
            // A connection that is gone has taken all that it ever will.
            try? await context.channel.triggerUserOutboundEvent(AnswerTaken()).get()
        }
        return response
    }
}
