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
    private let doorkeeper: IngestAuthorizer
    private let keeper: EventSink
    private let limiter: RateLimiter
    /// For bodies as they arrive; the lane takes from it.
    package let bodyMemory: MemoryBudget
    /// For bodies as they are inflated and read.
    ///
    /// A separate budget, so that two requests which hold a part of one and wait for the other cannot deadlock.
    private let inflatedMemory: MemoryBudget
    /// For what is made of one event while it is read.
    ///
    /// Whoever holds a part of it waits for no other memory.
    private let workingMemory: MemoryBudget
    private let heavyWork = LargePayloadExecutor()
    private let limits: IngestLimits
    private let outcomes: OutcomeRecorder
    private let metrics: IngestMetrics
    private let events: EventMetrics
    private let logger: Logger

    package init(
        keys: KeyDirectory,
        keeper: EventSink,
        limiter: RateLimiter,
        limits: IngestLimits = IngestLimits(),
        outcomes: OutcomeRecorder,
        registry: MetricsRegistry,
        events: EventMetrics,
        logger: Logger
    ) {
        doorkeeper = IngestAuthorizer(keys: keys, limiter: limiter, limits: limits)
        self.keeper = keeper
        self.limiter = limiter
        // The largest body has to fit, beside what is kept for small ones.
        let refused = registry.counters(
            "whorl_memory_refused",
            "Requests refused since the memory for bodies was not free in time.",
            labels: ["budget"]
        )
        bodyMemory = MemoryBudget(
            bytes: max(limits.memoryBytes / 3, limits.bodyBytes * 8 / 7 + 1),
            refused: refused.child("received")
        )
        inflatedMemory = MemoryBudget(
            bytes: max(limits.memoryBytes / 2, limits.inflatedBytes * 8 / 7 + 1),
            refused: refused.child("inflated")
        )
        workingMemory = MemoryBudget(bytes: limits.memoryBytes / 3, refused: refused.child("working"))
        registry.observed("whorl_memory_reserved_bytes", "Bytes held for bodies.", labels: ["budget"]) {
            [bodyMemory, inflatedMemory, workingMemory] in
            [
                (["received"], Double(bodyMemory.used)), (["inflated"], Double(inflatedMemory.used)),
                (["working"], Double(workingMemory.used)),
            ]
        }
        self.limits = limits
        self.outcomes = outcomes
        metrics = IngestMetrics(registry: registry)
        self.events = events
        self.logger = logger
    }

    package var maxBodyBytes: Int { limits.bodyBytes }

    package func handle(_ request: IngestRequest) async -> IngestAnswer {
        var ledger = ItemOutcomes(request: request)
        do {
            let judged = try await judge(request, &ledger)
            // The body and all that was made of it are gone by now: waiting for the database holds compressed bytes only.
            return try await keep(judged, request, &ledger)
        } catch let refusal as IngestRefusal {
            count(refusal, &ledger, request)
            return refusal.answer
        } catch {
            logger.warning("event not kept", metadata: ["error": "\(error)"])
            count(.unavailable, &ledger, request)
            return IngestRefusal.unavailable.answer
        }
    }

    /// The answer to a request whose body was too large, or too slow, to be read; `request` has none.
    package func refuse(_ request: IngestRequest, _ refusal: IngestRefusal) async -> IngestAnswer {
        var ledger = ItemOutcomes(request: request)
        ledger.sender = (try? await doorkeeper.sender(of: request, envelopeDSN: nil)) ?? nil
        count(refusal, &ledger, request)
        return refusal.answer
    }

    /// Counts a request whose body never came to its end.
    package func abandoned(_ request: IngestRequest) { metrics.count("event", .invalid, .timeout) }

    /// Lets a body grow to so many bytes: looks up the sender before the first time, and waits for the memory.
    ///
    /// Returns why it may not.
    package func admitBody(
        of request: IngestRequest,
        bytes: Int,
        _ memory: MemoryReservation,
        isAdmitted: Bool
    ) async -> IngestRefusal? {
        do {
            if !isAdmitted, let sender = try await doorkeeper.sender(of: request, envelopeDSN: nil) {
                try doorkeeper.admit(sender, request)
                memory.add(.project(sender.key.projectID))
            } else if !isAdmitted, bytes > limits.unknownSenderBytes {
                // Only the body names its sender, and nobody knows whether it does.
                return .tooLarge("the body is too large for a request without credentials in its head")
            } else if !isAdmitted {
                memory.add(.unknown)
            }
            return await memory.grow(to: bytes) ? nil : .unavailable
        } catch let refusal as IngestRefusal {
            return refusal
        } catch {
            return .unavailable
        }
    }

    // MARK: - authenticate, inflate, frame

    /// What a request comes to, before anything of it is kept.
    private struct Judged: Sendable {
        let sender: Sender
        var event: PreparedEvent?
        var answeredID: EventID?
        var denials: [RateLimiter.Denial] = []
        /// Whether the answer names an event id.
        var namesEvent = false
    }

    private func judge(_ request: IngestRequest, _ ledger: inout ItemOutcomes) async throws -> Judged {
        // The key is looked up before the body is touched, except where only the body names it.
        var sender = try await doorkeeper.sender(of: request, envelopeDSN: nil)
        ledger.sender = sender
        if let sender { try doorkeeper.admit(sender, request) }
        let owners =
            [MemoryShares.Owner.address(AddressNetwork.name(request.clientAddress ?? ""))]
            + [sender.map { .project($0.key.projectID) } ?? .unknown]
        let (body, memory) = try await inflated(request, isKnown: sender != nil, owners)
        defer { memory.release() }
        let framed = try await heavyWork.run(bytes: body.count) {
            request.isEnvelope ? try frame(body) : try bare(event: body, request)
        }
        ledger.receive(framed.items.map(\.type), framed.eventID)
        if sender == nil {
            sender = try await doorkeeper.sender(of: request, envelopeDSN: framed.dsn)
            ledger.sender = sender
            if let sender { try doorkeeper.admit(sender, request) }
        }
        guard let sender else { throw IngestRefusal(Credentials.Failure.missing) }
        if let dsn = framed.dsn, dsn.publicKey != sender.publicKey || Int(dsn.projectID) != sender.key.projectID {
            throw IngestRefusal.badRequest("the DSN of the envelope differs from the request's", .projectMismatch)
        }
        return try await judge(framed, sender, request, memory.owners, body.count, &ledger)
    }

    /// How large a body may become: a sender who has not shown a key yet gets little work done, and a place for single
    /// events takes no more than one.
    private func inflatedLimit(_ request: IngestRequest, received: Int, isKnown: Bool) -> Int {
        var limit = min(limits.inflatedBytes, Inflate.limit(ofReceived: received))
        if request.route == .store, !request.isEnvelope { limit = min(limit, limits.eventBytes + (64 << 10)) }
        return isKnown ? limit : min(limit, limits.unknownSenderBytes)
    }

    /// The decoded body, with the memory that it takes.
    ///
    /// The memory is taken in steps: what a coding says of itself, or what bodies of its size come to, then four times as
    /// much, up to the limit. Afterwards it is cut to the real size.
    private func inflated(
        _ request: IngestRequest,
        isKnown: Bool,
        _ owners: [MemoryShares.Owner]
    ) async throws -> ([UInt8], MemoryReservation) {
        var (received, receivedMemory) = request.body.take()
        if request.route == .store, request.isGet { received = Array((request.query["sentry_data"] ?? "").utf8) }
        guard !received.isEmpty else { throw IngestRefusal.badRequest("empty body", .invalidEnvelope) }
        let limit = inflatedLimit(request, received: received.count, isKnown: isKnown)
        let coding: Inflate.Coding
        do { coding = try Inflate.Coding(header: request.headers["content-encoding"]) } catch {
            throw IngestRefusal(error)
        }
        var size = Inflate.estimate(received, coding, limit: limit)
        guard let memory = await inflatedMemory.reserve(size, for: owners) else { throw IngestRefusal.unavailable }
        while true {
            let bound = size
            let bytes = received
            let body = try await heavyWork.run(bytes: size - Inflate.slack) {
                try Self.decoded(bytes, coding, isBare: !request.isEnvelope, bound: bound, limit: limit)
            }
            if let body {
                received = []
                receivedMemory?.release()
                receivedMemory = nil
                memory.shrink(to: body.count)
                return (body, memory)
            }
            size = min(size * 4, limit)
            // What was decoded is gone. Who held it and waited for more would keep others waiting.
            memory.release()
            guard await memory.grow(to: size) else { throw IngestRefusal.unavailable }
        }
    }

    /// The decoded body; nil when it does not fit the bound, though it may be within the limit.
    private static func decoded(
        _ bytes: [UInt8],
        _ coding: Inflate.Coding,
        isBare: Bool,
        bound: Int,
        limit: Int
    ) throws -> [UInt8]? {
        do {
            let body = try Inflate.decode(bytes, coding, limit: bound)
            return isBare ? try LegacyBody.unwrapped(body, limit: bound) : body
        } catch .tooLarge where bound < limit {
            return nil
        } catch {
            throw IngestRefusal(error)
        }
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

    // MARK: - parse, prepare

    private func judge(
        _ framed: FramedRequest,
        _ sender: Sender,
        _ request: IngestRequest,
        _ owners: [MemoryShares.Owner],
        _ bodyBytes: Int,
        _ ledger: inout ItemOutcomes
    ) async throws -> Judged {
        var judged = Judged(sender: sender)
        var hasEvent = false
        for (place, item) in framed.items.enumerated() {
            let category = Category.of(item.type)
            if category != "internal", let denial = limiter.spend(1, category, sender.rules) {
                judged.denials.append(denial)
                ledger.judge(place, .rateLimited, denial.reason)
                continue
            }
            guard item.type == "event" else {
                // Many small ones are as much work as a large one.
                let verdict = try await heavyWork.run(bytes: bodyBytes) { sideItem(item) }
                ledger.judge(place, verdict.outcome, verdict.reason, discards: verdict.discards)
                continue
            }
            guard !hasEvent else {
                ledger.judge(place, .invalid, .duplicateItem)
                continue
            }
            hasEvent = true
            guard item.payload.count <= limits.eventBytes else {
                throw IngestRefusal.tooLarge("the event is too large")
            }
            // Copies of the event and the lists of its values.
            let working = item.payload.count * 3 + JSONDocument.listBytes(ofText: item.payload.count)
            guard let workspace = await workingMemory.reserve(working, for: owners) else {
                throw IngestRefusal.unavailable
            }
            defer { workspace.release() }
            let admission = try await admit(item, framed, sender, request)
            switch admission {
            case .filtered(let reason, let id):
                judged.answeredID = id
                ledger.judge(place, .filtered, Outcome.Reason(reason), eventID: id)
            // Old SDKs send the measurements of a request to the place for errors.
            case .admitted(let measured) where measured.declaredType == "transaction":
                judged.answeredID = measured.eventID
                ledger.judge(place, .filtered, .unsupportedItem, as: "transaction")
            case .admitted(let event):
                judged.answeredID = event.eventID
                judged.event = try await heavyWork.run(bytes: event.payload.count) { keeper.prepare(event) }
            }
        }
        if !judged.denials.isEmpty, ledger.isAllLimited { throw IngestRefusal.limited(judged.denials) }
        judged.namesEvent = framed.items.contains { NonEventItem.needsEvent($0.type) }
        if judged.answeredID == nil, judged.namesEvent { judged.answeredID = framed.eventID ?? .random() }
        return judged
    }

    /// Reads the event and its mangled names, which takes another process for names that are new, and makes it ready.
    private func admit(
        _ item: Envelope.Item,
        _ framed: FramedRequest,
        _ sender: Sender,
        _ request: IngestRequest
    ) async throws -> Admission {
        do {
            let context = EventContext(
                projectID: sender.key.projectID,
                eventID: framed.eventID,
                receivedAt: request.receivedAt,
                sentAt: framed.sentAt,
                clientAddress: request.clientAddress
            )
            var event = try await heavyWork.run(bytes: item.payload.count) { try EventPipeline.parse(item.payload) }
            event.names = await NameReader.shared.names(of: event, projectID: sender.key.projectID)
            let parsed = event
            return try await heavyWork.run(bytes: item.payload.count) {
                try EventPipeline.admit(parsed, item.payload, context, sender.admission)
            }
        } catch let failure as EventPipeline.Failure {
            throw IngestRefusal(failure)
        }
    }

    private func sideItem(_ item: Envelope.Item) -> NonEventItem.Verdict {
        guard item.payload.count <= limits.bytes(of: item.type) else {
            return NonEventItem.Verdict(outcome: .invalid, reason: .tooLarge)
        }
        return NonEventItem.verdict(on: item)
    }

    // MARK: - keep, answer

    private func keep(
        _ judged: Judged,
        _ request: IngestRequest,
        _ ledger: inout ItemOutcomes
    ) async throws -> IngestAnswer {
        if let event = judged.event {
            let kept = try await keeper.keep(event, keyID: judged.sender.key.keyID)
            announce(kept, of: event.event, judged.sender, request, &ledger)
        }
        ledger.write(metrics, outcomes)
        var answer = IngestAnswer.accepted(judged.answeredID)
        answer.add(judged.denials.isEmpty ? limiter.spent(judged.sender.rules) : judged.denials)
        return answer
    }

    private func announce(
        _ kept: EventSink.Kept,
        of event: ProcessedEvent,
        _ sender: Sender,
        _ request: IngestRequest,
        _ ledger: inout ItemOutcomes
    ) {
        metrics.endToEnd.observe(request.arrived.duration(to: .now))
        if case .duplicate = kept {
            ledger.judgeEvent(.invalid, .duplicate)
            return
        }
        // Counted once, here; in the database by the statement that stores it, now or when it is replayed.
        ledger.judgeEventStored()
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

    /// Counts a request that was refused: every item that it is known to hold, or one event when nobody has looked.
    private func count(_ refusal: IngestRefusal, _ ledger: inout ItemOutcomes, _ request: IngestRequest) {
        guard let reason = refusal.reason ?? refusal.denials.first?.reason else { return }
        switch reason {
        case .authMissing, .authMalformed, .authUnknownKey, .authDisabledKey, .projectMismatch:
            metrics.refusedCredentials(reason)
            doorkeeper.refused(request)
        default:
            let outcome: Outcome = reason == .rateLimited || reason == .quotaExceeded ? .rateLimited : .invalid
            ledger.refuse(outcome, reason)
            ledger.write(metrics, outcomes)
        }
    }
}
