import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// Prepares an event for storage: parses it, demangles its names, applies the rules of its project, compresses it.
struct EventProcessor: Sendable {
    /// The result of processing an event item.
    enum Result: Sendable {
        /// The event is ready to be kept.
        case prepared(PreparedEvent)
        /// A filter of the project rejects the event.
        case filtered(FilterReason, EventID)
        /// Old SDKs send transactions as events.
        case transaction(EventID)

        /// The prepared event; nil for all other results.
        var event: PreparedEvent? { if case .prepared(let event) = self { event } else { nil } }
    }

    let sink: EventSink
    /// The memory budget for copies of an event and for its parsed values.
    ///
    /// A request that holds part of this budget waits for no other memory, so requests cannot deadlock.
    let memory: MemoryBudget
    let largePayloads: LargePayloadExecutor
    let limits: IngestLimits

    /// Processes an event item with the rules of its project.
    func process(
        _ item: Envelope.Item,
        of envelope: Envelope,
        _ key: AuthorizedKey,
        _ request: IngestRequest
    ) async throws(IngestRefusal) -> Result {
        let size = item.payload.count
        guard size <= limits.eventBytes else { throw .tooLarge("the event is too large") }
        let context = EventContext(
            projectID: key.info.projectID,
            eventID: envelope.eventID,
            receivedAt: request.receivedAt,
            sentAt: envelope.sentAt,
            clientAddress: request.clientAddress
        )
        let working = size * 3 + JSONDocument.listBytes(ofText: size)
        let result = try await memory.withReservation(working, for: request.memoryOwners(key)) {
            _ async throws(IngestRefusal) -> Result in
            do throws(EventPipeline.Failure) {
                return try await process(item.payload, context, key.processing)
            } catch {
                throw IngestRefusal(error)
            }
        }
        guard let result else { throw .unavailable }
        return result
    }

    private func process(
        _ payload: ArraySlice<UInt8>,
        _ context: EventContext,
        _ rules: ProcessingRules
    ) async throws(EventPipeline.Failure) -> Result {
        let size = payload.count
        var event = try await largePayloads.run(bytes: size) { () throws(EventPipeline.Failure) in
            try EventPipeline.parse(payload)
        }
        event.names = await NameDemangler.shared.names(of: event, projectID: context.projectID)
        let parsed = event
        return try await largePayloads.run(bytes: size) { () throws(EventPipeline.Failure) in
            switch try EventPipeline.process(parsed, payload, context, rules) {
            case .filtered(let reason, let id): .filtered(reason, id)
            case .processed(let event) where event.declaredType == "transaction": .transaction(event.eventID)
            case .processed(let event): .prepared(sink.prepare(event))
            }
        }
    }
}
