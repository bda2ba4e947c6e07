import Foundation
import Logging
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlStore
import WhorlTelemetry

typealias EventPipelineFailure = EventPipeline.Failure

extension EventPipeline.Failure {
    var cause: String {
        switch self {
        case .syntax(let error): error.description
        case .notAnObject: "the event is no object"
        }
    }
}

/// The path of an event, from the bytes of a request to the answer.
///
///     authenticate (cached keys) → inflate (bounded) → frame → parse, normalise, fingerprint, title → store → answer
///
/// The answer 200 comes after the commit. A request is judged whole before anything of it is stored, so that a refusal
/// leaves nothing behind.
package struct IngestHandler: Sendable {
    private let keys: KeyDirectory
    private let writer: EventWriter
    private let limits: IngestLimits
    private let metrics: IngestMetrics
    private let events: EventMetrics
    private let logger: Logger

    package init(
        keys: KeyDirectory,
        writer: EventWriter,
        limits: IngestLimits = IngestLimits(),
        registry: MetricsRegistry,
        events: EventMetrics,
        logger: Logger
    ) {
        self.keys = keys
        self.writer = writer
        self.limits = limits
        metrics = IngestMetrics(registry: registry)
        self.events = events
        self.logger = logger
    }

    var maxBodyBytes: Int { limits.bodyBytes }

    func handle(_ request: IngestRequest) async -> IngestAnswer {
        do {
            return try await answer(request)
        } catch let refusal as IngestRefusal {
            count(refusal)
            return refusal.answer
        } catch {
            logger.warning("event not kept", metadata: ["error": "\(error)"])
            count(.unavailable)
            return IngestRefusal.unavailable.answer
        }
    }

    private func answer(_ request: IngestRequest) async throws -> IngestAnswer {
        // The key is looked up before the body is touched, except where only the body names it.
        var sender = try await authenticate(request, envelopeDSN: nil)
        let body = try inflate(request)
        let envelope: FramedRequest
        switch request.route {
        case .envelope: envelope = try frame(body)
        case .store:
            envelope = request.isEnvelope ? try frame(body) : try bare(event: body, request)
        }
        if sender == nil { sender = try await authenticate(request, envelopeDSN: envelope.dsn) }
        guard let sender else { throw IngestRefusal(Credentials.Failure.missing) }
        if let dsn = envelope.dsn, dsn.publicKey != sender.publicKey || Int(dsn.projectID) != sender.key.projectID {
            throw IngestRefusal.badRequest("the DSN of the envelope differs from the request's", .projectMismatch)
        }
        return try await keep(envelope, sender, request)
    }

    // MARK: - authenticate

    private struct Sender {
        let publicKey: String
        let key: KeyInfo
    }

    /// The key of the request; nil when only the envelope can name it.
    private func authenticate(_ request: IngestRequest, envelopeDSN: DSN?) async throws -> Sender? {
        let credentials: Credentials
        do {
            credentials = try Credentials(
                sentryAuth: request.headers["x-sentry-auth"],
                authorization: request.headers["authorization"],
                query: { request.query[$0] },
                envelopeDSN: envelopeDSN
            )
        } catch .missing where envelopeDSN == nil && request.isEnvelope {
            return nil
        } catch {
            throw IngestRefusal(error)
        }
        if let text = request.projectID, Int(text) == nil || text.utf8.contains(UInt8(ascii: "+")) {
            throw IngestRefusal.badRequest("bad project id", .projectMismatch)
        }
        guard let key = try await keys.key(credentials.publicKey) else {
            throw IngestRefusal(status: 403, detail: rejected("InvalidKey"), reason: .authUnknownKey)
        }
        guard key.isActive else {
            throw IngestRefusal(status: 403, detail: rejected("DisabledKey"), reason: .authDisabledKey)
        }
        if let text = request.projectID, Int(text) != key.projectID {
            throw IngestRefusal(status: 403, detail: rejected("ProjectId"), reason: .projectMismatch)
        }
        return Sender(publicKey: credentials.publicKey, key: key)
    }

    private func rejected(_ reason: String) -> String { "event submission rejected with_reason: \(reason)" }

    // MARK: - inflate, frame

    private func inflate(_ request: IngestRequest) throws -> [UInt8] {
        var body = request.body
        if request.route == .store, request.isGet { body = Array((request.query["sentry_data"] ?? "").utf8) }
        guard !body.isEmpty else { throw IngestRefusal.badRequest("empty body", .invalidEnvelope) }
        let limit = limits.inflatedBytes
        do {
            let coding = try Inflate.Coding(header: request.headers["content-encoding"])
            body = try Inflate.decode(body, coding, limit: limit)
            if request.route == .store { body = try LegacyBody.unwrapped(body, limit: limit) }
        } catch {
            throw IngestRefusal(error)
        }
        return body
    }

    private struct FramedRequest {
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

    // MARK: - parse, store, answer

    private func keep(_ framed: FramedRequest, _ sender: Sender, _ request: IngestRequest) async throws -> IngestAnswer
    {
        var event: ProcessedEvent?
        var transactionID: EventID?
        var outcomes: [(type: String, outcome: Outcome, reason: Outcome.Reason)] = []
        for item in framed.items {
            if item.type == "event" {
                guard event == nil else {
                    outcomes.append((item.type, .invalid, .duplicateItem))
                    continue
                }
                guard item.payload.count <= limits.eventBytes else {
                    throw IngestRefusal.tooLarge("the event is too large")
                }
                do {
                    event = try EventPipeline.process(
                        item.payload,
                        EventContext(
                            projectID: sender.key.projectID,
                            eventID: framed.eventID,
                            receivedAt: request.receivedAt,
                            sentAt: framed.sentAt,
                            clientAddress: request.clientAddress
                        )
                    )
                } catch {
                    throw IngestRefusal(error)
                }
                // Old SDKs send the measurements of a request to the place for errors.
                if let measured = event, measured.declaredType == "transaction" {
                    transactionID = measured.eventID
                    event = nil
                    outcomes.append(("transaction", .filtered, .unsupportedItem))
                }
            } else if item.payload.count > limits.bytes(of: item.type) {
                outcomes.append((item.type, .invalid, .tooLarge))
            } else {
                outcomes.append(SideItem.outcome(of: item, metrics))
            }
        }
        if let event {
            let stored = try await writer.submit(event)
            outcomes.append(announce(stored, of: event, sender, request))
        }
        for (type, outcome, reason) in outcomes { metrics.count(type, outcome, reason) }
        let needsEvent = framed.items.contains { SideItem.needsEvent($0.type) }
        return .accepted(event?.eventID ?? transactionID ?? (needsEvent ? framed.eventID ?? .random() : nil))
    }

    private func announce(
        _ stored: EventWriter.Outcome,
        of event: ProcessedEvent,
        _ sender: Sender,
        _ request: IngestRequest
    ) -> (String, Outcome, Outcome.Reason) {
        metrics.endToEnd.observe(request.arrived.duration(to: .now))
        guard case .stored(let isNewIssue, let isRegression) = stored else { return ("event", .accepted, .duplicate) }
        events.stored(
            organization: sender.key.organization,
            project: sender.key.project,
            environment: event.environment,
            level: event.level,
            isNewIssue: isNewIssue,
            isRegression: isRegression,
            at: request.receivedAt.timeIntervalSince1970
        )
        return ("event", .accepted, .none)
    }

    private func count(_ refusal: IngestRefusal) {
        guard let reason = refusal.reason else { return }
        switch reason {
        case .authMissing, .authMalformed, .authUnknownKey, .authDisabledKey, .projectMismatch:
            metrics.refusedCredentials(reason)
        default:
            metrics.count("event", .invalid, reason)
        }
    }
}
