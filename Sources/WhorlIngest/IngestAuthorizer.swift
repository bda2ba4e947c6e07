import Foundation
import Synchronization
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// Who sends a request, and what is asked of its events.
struct Sender: Sendable {
    let publicKey: String
    let key: KeyInfo
    /// The limits that its items count on.
    let rules: [RateLimiter.Rule]
    /// Filters, scrubbing and trimming of its project.
    let admission: AdmissionRules
    let origins: [Glob]
    let addresses: NetworkList?
}

/// Decides, before a body is looked at, whether its sender may come in.
final class IngestAuthorizer: Sendable {
    private let keys: KeyDirectory
    private let limiter: RateLimiter
    private let limits: IngestLimits
    private let guesses: AddressGuard
    /// What was made of a key's settings, until these change.
    ///
    /// As many as there are keys in use.
    private let senders = Mutex<[String: Sender]>([:])
    private static let capacity = 100_000

    init(keys: KeyDirectory, limiter: RateLimiter, limits: IngestLimits) {
        self.keys = keys
        self.limiter = limiter
        self.limits = limits
        guesses = AddressGuard(failuresPerMinute: limits.badCredentialsPerMinute)
    }

    /// The sender of a request; nil when only the envelope can name its key.
    func sender(of request: IngestRequest, envelopeDSN: DSN?) async throws -> Sender? {
        let credentials: Credentials
        do {
            credentials = try Credentials(
                sentryAuth: request.headers["x-sentry-auth"],
                authorization: request.headers["authorization"],
                query: { request.query[$0] },
                envelopeDSN: envelopeDSN
            )
        } catch .missing where envelopeDSN == nil && request.isEnvelope {
            try refuseGuesser(request)
            return nil
        } catch {
            throw IngestRefusal(error)
        }
        if let text = request.projectID, Int(text) == nil || text.utf8.contains(UInt8(ascii: "+")) {
            throw IngestRefusal.badRequest("bad project id", .projectMismatch)
        }
        let key: KeyInfo
        if let known = await keys.known(credentials.publicKey) {
            key = known
        } else {
            // Only keys that nobody knows are held against an address: a good key from there works all the same.
            try refuseGuesser(request)
            guard let found = try await keys.key(credentials.publicKey) else {
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
        return sender(credentials.publicKey, key)
    }

    /// Refuses a sender from an origin or address that its project does not let in, and one far over its limit.
    func admit(_ sender: Sender, _ request: IngestRequest) throws {
        if !sender.key.settings.allowedOrigins.contains("*"), let origin = Self.origin(request),
            !sender.origins.contains(where: { $0.matches(origin) || $0.matches(Self.host(origin)) })
        {
            throw IngestRefusal(status: 403, detail: rejected("Cors"), reason: .origin)
        }
        if let addresses = sender.addresses, !addresses.isEmpty,
            !(request.clientAddress.map { addresses.contains($0) } ?? false)
        {
            throw IngestRefusal(status: 403, detail: rejected("Address"), reason: .address)
        }
        if let denial = limiter.farOver(sender.rules) {
            var refusal = IngestRefusal.limited([denial])
            refusal.reason = denial.reason
            throw refusal
        }
    }

    /// Counts credentials that were refused.
    func refused(_ request: IngestRequest) { guesses.failed(request.clientAddress) }

    private func refuseGuesser(_ request: IngestRequest) throws {
        guard let seconds = guesses.secondsBlocked(request.clientAddress) else { return }
        throw IngestRefusal(status: 429, detail: "too many bad credentials", retryAfterSeconds: seconds)
    }

    private func rejected(_ reason: String) -> String { "event submission rejected with_reason: \(reason)" }

    // MARK: - Senders

    private func sender(_ publicKey: String, _ key: KeyInfo) -> Sender {
        senders.withLock { senders in
            if let sender = senders[publicKey], sender.key == key,
                sender.admission.grouping.previous == nil || key.settings.grouping.isInTransition(Date())
            {
                return sender
            }
            if senders.count >= Self.capacity { senders = [:] }
            let sender = Sender(
                publicKey: publicKey,
                key: key,
                rules: rules(of: key),
                admission: AdmissionRules(
                    filter: key.settings.filters,
                    scrubbing: key.settings.scrubbing,
                    limits: limits.fields,
                    grouping: key.settings.grouping.settings(keys.rules)
                ),
                origins: key.settings.allowedOrigins.compactMap { Glob($0) },
                addresses: NetworkList(key.settings.allowedAddresses)
            )
            senders[publicKey] = sender
            return sender
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
        if let origin = request.headers["origin"], origin != "null" { return origin }
        return request.headers["referer"].flatMap(origin(ofReferrer:))
    }

    /// Scheme, host and port of a referrer: its path and query are the page's to choose, and match nothing.
    static func origin(ofReferrer text: String) -> String? {
        guard let scheme = text.firstRange(of: "://") else { return nil }
        let authority = text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" && $0 != "\\" }
        // What stands before an @ is a user's name, not a host.
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return host.isEmpty ? nil : text[..<scheme.upperBound] + String(host)
    }

    private static func host(_ origin: String) -> String {
        let start = origin.firstRange(of: "://")?.upperBound ?? origin.startIndex
        return String(origin[start...].prefix { $0 != "/" && $0 != ":" })
    }
}

extension Quota.Window {
    /// A month is 30 days here, as a window of a limit.
    var seconds: Int {
        switch self {
        case .minute: 60
        case .hour: 3_600
        case .month: 30 * 86_400
        }
    }
}
