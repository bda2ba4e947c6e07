import Foundation
import Logging
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlStore
import WhorlTelemetry

/// The path of an event, from the bytes of a request to the answer.
///
///     authenticate (cached keys) → limits → inflate (bounded) → frame → parse … title → keep → answer
///
/// The answer 200 comes after the event is kept. A request is judged whole before anything of it is kept, so that a
/// refusal leaves nothing behind.
package struct IngestHandler: Sendable {
    private let doorkeeper: Doorkeeper
    private let keeper: EventKeeper
    private let limiter: RateLimiter
    /// For bodies as they arrive; the lane takes from it.
    let bodyMemory: MemoryBudget
    /// For bodies as they are inflated.
    ///
    /// Apart from the other, so that nobody waits for what waits for him.
    private let inflatedMemory: MemoryBudget
    private let heavyWork = HeavyWork()
    private let limits: IngestLimits
    private let outcomes: OutcomeRecorder
    private let metrics: IngestMetrics
    private let events: EventMetrics
    private let logger: Logger

    package init(
        keys: KeyDirectory,
        keeper: EventKeeper,
        limiter: RateLimiter,
        limits: IngestLimits = IngestLimits(),
        outcomes: OutcomeRecorder,
        registry: MetricsRegistry,
        events: EventMetrics,
        logger: Logger
    ) {
        doorkeeper = Doorkeeper(keys: keys, limiter: limiter, limits: limits)
        self.keeper = keeper
        self.limiter = limiter
        // The largest body has to fit by itself.
        bodyMemory = MemoryBudget(bytes: max(limits.memoryBytes / 3, limits.bodyBytes))
        inflatedMemory = MemoryBudget(bytes: max(limits.memoryBytes / 3 * 2, limits.inflatedBytes))
        self.limits = limits
        self.outcomes = outcomes
        metrics = IngestMetrics(registry: registry)
        self.events = events
        self.logger = logger
    }

    var maxBodyBytes: Int { limits.bodyBytes }

    func handle(_ request: IngestRequest) async -> IngestAnswer {
        var sender: Sender?
        do {
            return try await answer(request, &sender)
        } catch let refusal as IngestRefusal {
            count(refusal, sender, request)
            return refusal.answer
        } catch {
            logger.warning("event not kept", metadata: ["error": "\(error)"])
            count(.unavailable, sender, request)
            return IngestRefusal.unavailable.answer
        }
    }

    /// The answer to a request whose body was too large, or too slow, to be read; `request` has none.
    func refuse(_ request: IngestRequest, _ refusal: IngestRefusal) async -> IngestAnswer {
        let sender = try? await doorkeeper.sender(of: request, envelopeDSN: nil)
        count(refusal, sender ?? nil, request)
        return refusal.answer
    }

    /// Counts a request whose body never came to its end.
    func abandoned(_ request: IngestRequest) { metrics.count("event", .invalid, .timeout) }

    private func answer(_ request: IngestRequest, _ sender: inout Sender?) async throws -> IngestAnswer {
        // The key is looked up before the body is touched, except where only the body names it.
        sender = try await doorkeeper.sender(of: request, envelopeDSN: nil)
        if let sender { try doorkeeper.admit(sender, request) }
        let limit = inflatedLimit(request, isKnown: sender != nil)
        var reserved = Inflate.estimate(request.body, request.headers["content-encoding"], limit: limit)
        // A single event may be wrapped in ways that say nothing of its size.
        if request.route == .store { reserved = limit }
        guard await inflatedMemory.take(reserved) else { throw IngestRefusal.unavailable }
        do {
            let answer = try await open(request, reserved, &sender)
            inflatedMemory.free(reserved)
            return answer
        } catch is NeedsMore {
            // The body said less of itself than it is.
            inflatedMemory.free(reserved)
        } catch {
            inflatedMemory.free(reserved)
            throw error
        }
        guard await inflatedMemory.take(limit) else { throw IngestRefusal.unavailable }
        defer { inflatedMemory.free(limit) }
        return try await open(request, limit, &sender)
    }

    /// A body that does not fit what was set aside for it, though it may be within its limit.
    private struct NeedsMore: Error {}

    /// How large a body may become: whoever has not shown a key yet gets little work done, and a place for single events
    /// takes no more than one.
    private func inflatedLimit(_ request: IngestRequest, isKnown: Bool) -> Int {
        var limit = limits.inflatedBytes
        if request.route == .store, !request.isEnvelope { limit = min(limit, limits.eventBytes + (64 << 10)) }
        return isKnown ? limit : min(limit, limits.unknownSenderBytes)
    }

    private func open(
        _ request: IngestRequest,
        _ bytes: Int,
        _ sender: inout Sender?
    ) async throws -> IngestAnswer {
        let isKnown = sender != nil
        let envelope = try await heavyWork.run(bytes: bytes) {
            let body = try inflate(request, isKnown: isKnown, within: bytes)
            return request.isEnvelope ? try frame(body) : try bare(event: body, request)
        }
        if sender == nil {
            sender = try await doorkeeper.sender(of: request, envelopeDSN: envelope.dsn)
            if let sender { try doorkeeper.admit(sender, request) }
        }
        guard let sender else { throw IngestRefusal(Credentials.Failure.missing) }
        if let dsn = envelope.dsn, dsn.publicKey != sender.publicKey || Int(dsn.projectID) != sender.key.projectID {
            throw IngestRefusal.badRequest("the DSN of the envelope differs from the request's", .projectMismatch)
        }
        return try await keep(envelope, sender, request)
    }

    // MARK: - inflate, frame

    private func inflate(_ request: IngestRequest, isKnown: Bool, within reserved: Int) throws -> [UInt8] {
        var body = request.body
        if request.route == .store, request.isGet { body = Array((request.query["sentry_data"] ?? "").utf8) }
        guard !body.isEmpty else { throw IngestRefusal.badRequest("empty body", .invalidEnvelope) }
        let limit = inflatedLimit(request, isKnown: isKnown)
        let bound = min(limit, reserved)
        do {
            let coding = try Inflate.Coding(header: request.headers["content-encoding"])
            body = try Inflate.decode(body, coding, limit: bound)
            if request.route == .store { body = try LegacyBody.unwrapped(body, limit: bound) }
        } catch .tooLarge where bound < limit {
            throw NeedsMore()
        } catch {
            throw IngestRefusal(error)
        }
        return body
    }

    private struct FramedRequest: Sendable {
        /// The identity that the request names, for events without a better one.
        var eventID: EventID?
        var dsn: DSN?
        var sentAt: Date?
        var items: [Envelope.Item]
    }

    private func frame(_ body: [UInt8]) throws -> FramedRequest {
        do {
            let envelope = try Envelope(body[...], limits: .init(items: limits.items))
            return FramedRequest(
                eventID: envelope.eventID,
                dsn: envelope.dsn,
                sentAt: envelope.header.member("sent_at")?.string.flatMap { Timestamp.parse($0) },
                items: envelope.items
            )
        } catch {
            if error.isTooLarge { throw IngestRefusal.tooLarge("bad envelope: \(error.description)") }
            throw IngestRefusal.badRequest("bad envelope", .invalidEnvelope, causes: [error.description])
        }
    }

    /// The body of `/store/` is one event without an envelope around it.
    private func bare(event body: [UInt8], _ request: IngestRequest) throws -> FramedRequest {
        guard let header = try? JSONDocument(Array(#"{"type":"event"}"#.utf8)).root else {
            throw IngestRefusal.badRequest("bad event", .invalidJSON)
        }
        return FramedRequest(items: [Envelope.Item(type: "event", header: header, payload: body[...])])
    }

    // MARK: - parse, keep, answer

    private func keep(_ framed: FramedRequest, _ sender: Sender, _ request: IngestRequest) async throws -> IngestAnswer
    {
        var event: ProcessedEvent?
        var hasEvent = false
        var answeredID: EventID?
        var ledger = ItemLedger(sender: sender, request: request)
        var denials: [RateLimiter.Denial] = []
        for item in framed.items {
            let category = Category.of(item.type)
            if category != "internal", let denial = limiter.spend(1, category, sender.rules) {
                denials.append(denial)
                ledger.add(item.type, .rateLimited, denial.reason, eventID: item.type == "event" ? framed.eventID : nil)
                continue
            }
            guard item.type == "event" else {
                ledger.add(sideItem(item, sender, request))
                continue
            }
            guard !hasEvent else {
                ledger.add(item.type, .invalid, .duplicateItem)
                continue
            }
            hasEvent = true
            guard item.payload.count <= limits.eventBytes else {
                throw IngestRefusal.tooLarge("the event is too large")
            }
            let parsed = try await parse(item, sender)
            let admission = try await heavyWork.run(bytes: item.payload.count) {
                try admit(parsed, item, framed, sender, request)
            }
            switch admission {
            case .filtered(let reason, let id):
                answeredID = id
                ledger.add(item.type, .filtered, Outcome.Reason(reason), eventID: id)
            // Old SDKs send the measurements of a request to the place for errors.
            case .admitted(let measured) where measured.declaredType == "transaction":
                answeredID = measured.eventID
                ledger.add("transaction", .filtered, .unsupportedItem)
            case .admitted(let admitted): event = admitted
            }
        }
        if let event {
            answeredID = event.eventID
            announce(try await keeper.keep(event, keyID: sender.key.keyID), of: event, sender, request, &ledger)
        }
        ledger.write(metrics, outcomes)
        if !denials.isEmpty, ledger.isAllLimited { throw IngestRefusal.limited(denials) }
        let needsEvent = framed.items.contains { SideItem.needsEvent($0.type) }
        var answer = IngestAnswer.accepted(answeredID ?? (needsEvent ? framed.eventID ?? .random() : nil))
        answer.add(denials.isEmpty ? limiter.spent(sender.rules) : denials)
        return answer
    }

    /// Reads an event and its mangled names, which takes another process for names that are new.
    private func parse(_ item: Envelope.Item, _ sender: Sender) async throws -> Event {
        do {
            var event = try await heavyWork.run(bytes: item.payload.count) { try EventPipeline.parse(item.payload) }
            event.names = await NameReader.shared.names(of: event, projectID: sender.key.projectID)
            return event
        } catch let failure as EventPipeline.Failure {
            throw IngestRefusal(failure)
        }
    }

    private func admit(
        _ event: Event,
        _ item: Envelope.Item,
        _ framed: FramedRequest,
        _ sender: Sender,
        _ request: IngestRequest
    ) throws -> Admission {
        do {
            return try EventPipeline.admit(
                event,
                item.payload,
                EventContext(
                    projectID: sender.key.projectID,
                    eventID: framed.eventID,
                    receivedAt: request.receivedAt,
                    sentAt: framed.sentAt,
                    clientAddress: request.clientAddress
                ),
                sender.admission
            )
        } catch {
            throw IngestRefusal(error)
        }
    }

    private func sideItem(
        _ item: Envelope.Item,
        _ sender: Sender,
        _ request: IngestRequest
    ) -> (String, Outcome, Outcome.Reason) {
        guard item.payload.count <= limits.bytes(of: item.type) else { return (item.type, .invalid, .tooLarge) }
        return SideItem.outcome(of: item) { category, reason, quantity in
            metrics.clientDiscards.child(category, reason).increment(by: quantity)
            outcomes.count(
                projectID: sender.key.projectID,
                category: category,
                outcome: Outcome.clientDiscard.rawValue,
                reason: reason,
                quantity: quantity,
                at: request.receivedAt
            )
        }
    }

    private func announce(
        _ kept: EventKeeper.Kept,
        of event: ProcessedEvent,
        _ sender: Sender,
        _ request: IngestRequest,
        _ ledger: inout ItemLedger
    ) {
        metrics.endToEnd.observe(request.arrived.duration(to: .now))
        if case .duplicate = kept {
            ledger.add("event", .invalid, .duplicate)
            return
        }
        // Counted once, here; in the database by the statement that stores it, now or when it is replayed.
        ledger.addStored()
        events.acknowledged(
            organization: sender.key.organization,
            project: sender.key.project,
            environment: event.environment,
            level: event.level,
            at: request.receivedAt.timeIntervalSince1970
        )
        if case .stored(let isNewIssue, let isRegression) = kept {
            events.committed(
                organization: sender.key.organization,
                project: sender.key.project,
                isNewIssue: isNewIssue,
                isRegression: isRegression
            )
        }
    }

    /// Counts a request that was refused whole: as one event, since nobody has looked what it holds.
    private func count(_ refusal: IngestRefusal, _ sender: Sender?, _ request: IngestRequest) {
        guard let reason = refusal.reason else { return }
        switch reason {
        case .authMissing, .authMalformed, .authUnknownKey, .authDisabledKey, .projectMismatch:
            metrics.refusedCredentials(reason)
            doorkeeper.refused(request)
        default:
            let outcome: Outcome = reason == .rateLimited || reason == .quotaExceeded ? .rateLimited : .invalid
            metrics.count("event", outcome, reason)
            guard let sender else { return }
            outcomes.count(
                projectID: sender.key.projectID,
                category: "error",
                outcome: outcome.rawValue,
                reason: reason.rawValue,
                at: request.receivedAt
            )
        }
    }
}
