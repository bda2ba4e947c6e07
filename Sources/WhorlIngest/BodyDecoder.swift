import Foundation
import WhorlProtocol

/// Decodes the body of a request and splits it into items, within memory bounds.
struct BodyDecoder: Sendable {
    /// The memory budget for decoded bodies.
    let memory: MemoryBudget
    let largePayloads: LargePayloadExecutor
    let limits: IngestLimits

    private enum Attempt<Value: Sendable>: Sendable {
        case done(Value)
        /// The decoded body is larger than the memory reserved for it.
        case tooSmall
    }

    /// Decodes the envelope of the request and runs `work` with it.
    ///
    /// The memory of the envelope stays reserved while `work` runs. The first reservation is the size that the encoding
    /// declares, or the usual size for a body of this length. If that is too small, each further attempt reserves four
    /// times as much, up to the limit. After decoding, the reservation shrinks to the actual size.
    func withEnvelope<Value: Sendable>(
        of request: IngestRequest,
        for key: AuthorizedKey?,
        _ work: (Envelope) async throws(IngestRefusal) -> Value
    ) async throws(IngestRefusal) -> Value {
        let received = request.receivedBody.count
        guard received > 0 else { throw .badRequest("empty body", .invalidEnvelope) }
        let coding: Inflate.Coding
        do { coding = try Inflate.Coding(header: request.headers.contentEncoding) } catch {
            throw IngestRefusal(error)
        }
        let limit = limit(request, received: received, isKnown: key != nil)
        var size = Inflate.estimate(request.receivedBody, coding, limit: limit)
        while true {
            let bound = size
            let attempt = try await memory.withReservation(bound, for: request.memoryOwners(key)) {
                reservation async throws(IngestRefusal) -> Attempt<Value> in
                guard let body = try await decode(request, coding, bound: bound, limit: limit) else {
                    return .tooSmall
                }
                request.body.release()
                reservation.shrink(to: body.count)
                return .done(try await work(try await frame(body, request)))
            }
            switch attempt {
            case .done(let value): return value
            case .tooSmall: size = min(size * 4, limit)
            case nil: throw .unavailable
            }
        }
    }

    /// The maximum size of the decoded body.
    ///
    /// The limit is low while the key of the sender is unknown. A body of `/store/` holds a single event, so it is
    /// limited to the event size plus 64 KiB.
    private func limit(_ request: IngestRequest, received: Int, isKnown: Bool) -> Int {
        var limit = min(limits.inflatedBytes, Inflate.limit(ofReceived: received))
        if !request.isEnvelope { limit = min(limit, limits.eventBytes + (64 << 10)) }
        return isKnown ? limit : min(limit, limits.unknownSenderBytes)
    }

    /// The decoded body; nil when it exceeds `bound` but may still be within `limit`.
    private func decode(
        _ request: IngestRequest,
        _ coding: Inflate.Coding,
        bound: Int,
        limit: Int
    ) async throws(IngestRefusal) -> [UInt8]? {
        let bytes = request.receivedBody
        let isEnvelope = request.isEnvelope
        return try await largePayloads.run(bytes: bound - Inflate.slack) { () throws(IngestRefusal) in
            do throws(Inflate.Failure) {
                let body = try Inflate.decode(bytes, coding, limit: bound)
                return isEnvelope ? body : try LegacyBody.unwrapped(body, limit: bound)
            } catch {
                if error == .tooLarge, bound < limit { return nil }
                throw IngestRefusal(error)
            }
        }
    }

    private func frame(_ body: [UInt8], _ request: IngestRequest) async throws(IngestRefusal) -> Envelope {
        guard request.isEnvelope else { return Envelope(event: body[...]) }
        let bounds = Envelope.Limits(items: limits.items)
        return try await largePayloads.run(bytes: body.count) { () throws(IngestRefusal) in
            do throws(Envelope.FramingError) { return try Envelope(body[...], limits: bounds) } catch {
                if error.isTooLarge { throw .tooLarge("bad envelope: \(error.description)") }
                throw .badRequest("bad envelope", .invalidEnvelope, causes: [error.description])
            }
        }
    }
}
