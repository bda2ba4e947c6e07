import WhorlProtocol
import WhorlStore
import WhorlTelemetry

/// Processes ingest requests, from the received bytes to the response.
///
///     request → authorise → decode → judge items → process event → keep → answer
///
/// A 200 is sent only after the event is kept: committed in Postgres, or synced to the spool. All items of a request
/// are judged before anything is kept, so a refused request leaves no data behind.
package struct IngestPipeline: Sendable {
    let authorizer: IngestAuthorizer
    let accounting: IngestAccounting
    /// The memory budget for bodies while they arrive.
    package let receivedMemory: MemoryBudget
    package let limits: IngestLimits
    private let decoder: BodyDecoder
    private let judge: ItemJudge
    private let processor: EventProcessor
    private let sink: EventSink
    private let limiter: RateLimiter

    package init(
        authorizer: IngestAuthorizer,
        sink: EventSink,
        limiter: RateLimiter,
        limits: IngestLimits,
        accounting: IngestAccounting,
        registry: MetricsRegistry
    ) {
        let memory = IngestMemory(limits, registry)
        let largePayloads = LargePayloadExecutor()
        self.authorizer = authorizer
        self.accounting = accounting
        self.limits = limits
        self.sink = sink
        self.limiter = limiter
        receivedMemory = memory.received
        decoder = BodyDecoder(memory: memory.inflated, largePayloads: largePayloads, limits: limits)
        judge = ItemJudge(limiter: limiter, largePayloads: largePayloads, limits: limits)
        processor = EventProcessor(sink: sink, memory: memory.working, largePayloads: largePayloads, limits: limits)
    }

    /// Processes one request and records the outcome of each item exactly once.
    package func answer(_ request: IngestRequest) async -> IngestResponse {
        var outcomes = ItemOutcomes()
        let answer: IngestResponse
        do throws(IngestRefusal) {
            outcomes.key = try await authorizer.key(of: request)
            try authorizer.check(outcomes.key, request)
            // The body is released at the end of this block, so an event that waits to be kept holds only compressed
            // bytes.
            let event = try await decoder.withEnvelope(of: request, for: outcomes.key) {
                envelope async throws(IngestRefusal) -> PreparedEvent? in
                outcomes.receive(envelope)
                if outcomes.key == nil {
                    outcomes.key = try await authorizer.key(of: request, envelopeDSN: envelope.dsn)
                    try authorizer.check(outcomes.key, request)
                }
                let key = try authorizer.confirmed(outcomes.key, envelope.dsn)
                outcomes.judge(await judge.verdicts(on: envelope, from: 0, key))
                guard let item = outcomes.event(in: envelope) else { return nil }
                let result = try await processor.process(item, of: envelope, key, request)
                outcomes.judgeEvent(result)
                outcomes.judge(await judge.verdicts(on: envelope, from: outcomes.judged, key))
                return result.event
            }
            if let limited = outcomes.refusalOfLimits { throw limited }
            if let event, let key = outcomes.key {
                outcomes.keep(event, try await sink.keep(event, keyID: key.info.keyID))
            }
            answer = .accepted(outcomes.answeredID, outcomes.limitsToReport(limiter))
        } catch {
            outcomes.refuse(error)
            answer = error.answer
        }
        accounting.record(outcomes, of: request)
        return answer
    }

    /// The response to a request that the HTTP layer refuses before its body is complete.
    package func refuse(_ request: IngestRequest, _ refusal: IngestRefusal) async -> IngestResponse {
        var outcomes = ItemOutcomes()
        outcomes.key = try? await authorizer.key(of: request)
        outcomes.refuse(refusal)
        accounting.record(outcomes, of: request)
        return refusal.answer
    }

    /// Counts a request whose body never arrived completely.
    package func abandoned() { accounting.abandoned() }
}
