import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// The reason why a request is refused, in text that is safe to show to the sender.
package struct IngestRefusal: Error, Sendable {
    package let status: Int
    package let detail: String
    package var causes: [String] = []
    package var retryAfterSeconds: Int?
    /// The reason under which the refusal is counted.
    package var reason: Outcome.Reason?
    /// The allowed methods, if the method of the request is not allowed.
    package var allowed: String?
    /// Rate limits to report to the sender.
    package var denials: [RateLimiter.Denial] = []
    /// The internal error, for the log.
    var cause: (any Error)?

    /// The reason under which the refusal is counted; nil if it is not counted, as for a wrong method.
    var countedReason: Outcome.Reason? { reason ?? denials.first?.reason }

    package var answer: IngestResponse {
        var members: [(key: String, value: JSON)] = [("detail", .string(detail))]
        if !causes.isEmpty { members.append(("causes", .array(causes.map(JSON.string)))) }
        var headers = [(name: "X-Sentry-Error", value: detail)]
        if let allowed { headers.append(("Allow", allowed)) }
        if let retryAfterSeconds { headers.append(("Retry-After", String(retryAfterSeconds))) }
        var answer = IngestResponse(status: status, body: .object(members), headers: headers)
        answer.add(denials)
        return answer
    }

    package static func badRequest(
        _ detail: String,
        _ reason: Outcome.Reason? = nil,
        causes: [String] = []
    ) -> IngestRefusal {
        IngestRefusal(status: 400, detail: detail, causes: causes, reason: reason)
    }

    package static func tooLarge(_ detail: String) -> IngestRefusal {
        IngestRefusal(status: 413, detail: detail, reason: .tooLarge)
    }

    /// A refusal because of exceeded rate limits.
    static func limited(_ denials: [RateLimiter.Denial]) -> IngestRefusal {
        var refusal = IngestRefusal(
            status: 429,
            detail: "rate limited",
            retryAfterSeconds: denials.map(\.retryAfterSeconds).max() ?? 60
        )
        refusal.denials = denials
        return refusal
    }

    /// A temporary refusal: nothing is kept, and the sender should retry.
    ///
    /// It is used when memory is not free in time, and when neither the database nor the spool accepts the event.
    package static var unavailable: IngestRefusal { unavailable(cause: nil) }

    /// A temporary refusal with the error to log.
    static func unavailable(cause: (any Error)?) -> IngestRefusal {
        var refusal = IngestRefusal(
            status: 503,
            detail: "the event cannot be kept at the moment",
            retryAfterSeconds: 5,
            reason: .unavailable
        )
        refusal.cause = cause
        return refusal
    }

    /// The refusal of a method that the path does not support.
    package static func methodNotAllowed(_ allowed: String) -> IngestRefusal {
        var refusal = IngestRefusal(status: 405, detail: "method not allowed")
        refusal.allowed = allowed
        return refusal
    }

    init(
        status: Int,
        detail: String,
        causes: [String] = [],
        retryAfterSeconds: Int? = nil,
        reason: Outcome.Reason? = nil
    ) {
        self.status = status
        self.detail = detail
        self.causes = causes
        self.retryAfterSeconds = retryAfterSeconds
        self.reason = reason
    }

    init(_ failure: Credentials.Failure) {
        switch failure {
        case .missing:
            self.init(status: 401, detail: "missing authorization information", reason: .authMissing)
        case .malformed:
            self.init(status: 401, detail: "bad authorization information", reason: .authMalformed)
        case .contradictory:
            self.init(status: 401, detail: "contradictory authorization information", reason: .authMalformed)
        case .unsupportedVersion:
            self.init(status: 400, detail: "unsupported protocol version", reason: .authMalformed)
        case .badKey:
            self.init(status: 400, detail: "bad public key", reason: .authMalformed)
        }
    }

    init(_ failure: Inflate.Failure) {
        switch failure {
        case .unknownCoding: self.init(status: 415, detail: "unknown content encoding", reason: .invalidCompression)
        case .tooLarge: self = .tooLarge("the inflated body is too large")
        case .damaged: self = .badRequest("the body does not match its content encoding", .invalidCompression)
        }
    }

    init(_ failure: EventPipeline.Failure) {
        self = .badRequest("invalid event", .invalidJSON, causes: [failure.cause])
    }
}

extension EventPipeline.Failure {
    fileprivate var cause: String {
        switch self {
        case .syntax(let error): error.description
        case .notAnObject: "the event is not an object"
        }
    }
}
