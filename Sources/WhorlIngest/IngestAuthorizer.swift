import Foundation
import Synchronization
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// Finds the key of a request and decides, before the body is read, whether the key may send.
package final class IngestAuthorizer: Sendable {
    private let keys: KeyDirectory
    private let limiter: RateLimiter
    private let limits: IngestLimits
    private let credentialFailures: CredentialFailureLimiter
    private let metrics: EventMetrics
    /// The compiled rules of each key, cached until the settings of the key change.
    ///
    /// The cache has one entry per key in use.
    private let authorized = Mutex<[String: AuthorizedKey]>([:])
    private static let capacity = 100_000

    package init(
        keys: KeyDirectory,
        limiter: RateLimiter,
        limits: IngestLimits,
        credentialFailures: CredentialFailureLimiter,
        metrics: EventMetrics
    ) {
        self.metrics = metrics
        self.keys = keys
        self.limiter = limiter
        self.limits = limits
        self.credentialFailures = credentialFailures
    }

    /// The key of a request; nil when only the envelope can contain it.
    func key(
        of request: IngestRequest,
        envelopeDSN: DSN? = nil
    ) async throws(IngestRefusal) -> AuthorizedKey? {
        let credentials: Credentials
        do {
            credentials = try Credentials(
                sentryAuth: request.headers.sentryAuth,
                authorization: request.headers.authorization,
                query: { request.query[$0] },
                envelopeDSN: envelopeDSN
            )
        } catch {
            guard error == .missing, envelopeDSN == nil, request.isEnvelope else { throw IngestRefusal(error) }
            try refuseIfBlocked(request)
            return nil
        }
        if let text = request.projectID, Int(text) == nil || text.utf8.contains(UInt8(ascii: "+")) {
            throw IngestRefusal.badRequest("bad project id", .projectMismatch)
        }
        let key: KeyInfo
        if let known = await keys.known(credentials.publicKey) {
            key = known
        } else {
            // Only requests with unknown keys are blocked by address. A valid key from the same address keeps working.
            try refuseIfBlocked(request)
            let found: KeyInfo?
            do { found = try await keys.key(credentials.publicKey) } catch { throw .unavailable(cause: error) }
            guard let found else {
                throw IngestRefusal(status: 403, detail: rejected("InvalidKey"), reason: .authUnknownKey)
            }
            key = found
        }
        guard key.isActive else {
            throw IngestRefusal(status: 403, detail: rejected("DisabledKey"), reason: .authDisabledKey)
        }
        if let text = request.projectID, Int(text) != key.projectID {
            throw IngestRefusal(status: 403, detail: rejected("ProjectId"), reason: .projectMismatch)
        }
        return authorized(credentials.publicKey, key)
    }

    /// Refuses a request from an origin or address that its project does not allow, or from a key far over its limit.
    ///
    /// Does nothing while the key is unknown.
    func check(_ key: AuthorizedKey?, _ request: IngestRequest) throws(IngestRefusal) {
        guard let key else { return }
        if !key.info.settings.allowedOrigins.contains("*"), let origin = Self.origin(request),
            !key.origins.contains(where: { $0.matches(origin) || $0.matches(Self.host(origin)) })
        {
            throw IngestRefusal(status: 403, detail: rejected("Cors"), reason: .origin)
        }
        if let addresses = key.addresses, !addresses.isEmpty,
            !(request.clientAddress.map { addresses.contains($0) } ?? false)
        {
            throw IngestRefusal(status: 403, detail: rejected("Address"), reason: .address)
        }
        if let denial = limiter.farOver(key.rules) {
            var refusal = IngestRefusal.limited([denial])
            refusal.reason = denial.reason
            throw refusal
        }
    }

    /// Returns the key; throws if it is missing or differs from the DSN of the envelope.
    func confirmed(_ key: AuthorizedKey?, _ dsn: DSN?) throws(IngestRefusal) -> AuthorizedKey {
        guard let key else { throw IngestRefusal(Credentials.Failure.missing) }
        if let dsn, dsn.publicKey != key.publicKey || Int(dsn.projectID) != key.info.projectID {
            throw .badRequest("the DSN of the envelope differs from the request's", .projectMismatch)
        }
        return key
    }

    private func refuseIfBlocked(_ request: IngestRequest) throws(IngestRefusal) {
        guard let seconds = credentialFailures.secondsBlocked(request.clientAddress) else { return }
        throw IngestRefusal(status: 429, detail: "too many bad credentials", retryAfterSeconds: seconds)
    }

    private func rejected(_ reason: String) -> String { "event submission rejected with_reason: \(reason)" }

    // MARK: - Rules of a key

    private func authorized(_ publicKey: String, _ info: KeyInfo) -> AuthorizedKey {
        authorized.withLock { authorized in
            if let key = authorized[publicKey], key.info == info,
                key.processing.grouping.previous == nil || info.settings.grouping.isInTransition(Date())
            {
                return key
            }
            if authorized.count >= Self.capacity { authorized = [:] }
            let key = AuthorizedKey(
                publicKey: publicKey,
                info: info,
                rules: rules(of: info),
                processing: ProcessingRules(
                    filter: info.settings.filters,
                    scrubbing: info.settings.scrubbing,
                    limits: limits.fields,
                    grouping: info.settings.grouping.settings(keys.rules)
                ),
                origins: info.settings.allowedOrigins.compactMap { Glob($0) },
                addresses: NetworkList(info.settings.allowedAddresses),
                metrics: metrics.project(organization: info.organization, project: info.project)
            )
            authorized[publicKey] = key
            return key
        }
    }

    private func rules(of key: KeyInfo) -> [RateLimiter.Rule] {
        var rules: [RateLimiter.Rule] = []
        if let limit = key.limit {
            rules.append(.init(scope: .key, id: key.keyID, limit: limit, categories: []))
        }
        for quota in key.settings.quotas {
            let limit = CountLimit(count: quota.count, seconds: quota.window.seconds)
            rules.append(.init(scope: .project, id: key.projectID, limit: limit, categories: quota.categories))
        }
        if let count = limits.projectItemsPerMinute {
            rules.append(
                .init(scope: .project, id: key.projectID, limit: .init(count: count, seconds: 60), categories: [])
            )
        }
        if let count = limits.itemsPerMinute {
            rules.append(.init(scope: .organization, id: 0, limit: .init(count: count, seconds: 60), categories: []))
        }
        return rules
    }

    private static func origin(_ request: IngestRequest) -> String? {
        if let origin = request.headers.origin, origin != "null" { return origin }
        return request.headers.referer.flatMap(origin(ofReferrer:))
    }

    /// Scheme, host and port of a referrer.
    ///
    /// Path and query are removed: the page chooses them, so they must not match an allowed origin.
    static func origin(ofReferrer text: String) -> String? {
        guard let scheme = text.firstRange(of: "://") else { return nil }
        let authority = text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" && $0 != "\\" }
        // The part before an `@` is user information, not the host.
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return host.isEmpty ? nil : text[..<scheme.upperBound] + String(host)
    }

    private static func host(_ origin: String) -> String {
        let start = origin.firstRange(of: "://")?.upperBound ?? origin.startIndex
        return String(origin[start...].prefix { $0 != "/" && $0 != ":" })
    }
}

extension Quota.Window {
    /// The length of the window in seconds; a month counts as 30 days.
    var seconds: Int {
        switch self {
        case .minute: 60
        case .hour: 3_600
        case .month: 30 * 86_400
        }
    }
}
