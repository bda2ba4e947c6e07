import Logging
import ServiceLifecycle
import WhorlPostgres

/// What ingest needs to know of a key.
package struct KeyInfo: Sendable, Equatable {
    package let keyID: Int
    package let projectID: Int
    package let project: String
    package let organization: String
    package let isActive: Bool
}

/// The public keys that are in use, kept in memory, so that no request waits for the database to know its sender.
///
/// `run()` reads the keys in use anew every few seconds, all of them in one statement: a key that is switched off is
/// refused at most `refresh` later. An unknown key is remembered as unknown for as long, by itself, so that wrong keys
/// never stand in the way of right ones. Both sides are bounded.
package actor KeyDirectory: Service {
    private static let maxKnown = 100_000
    private static let maxUnknown = 10_000

    private let pool: PostgresPool
    private let logger: Logger
    private let refresh: Duration
    private var known: [String: KeyInfo] = [:]
    private var unknown: [String: ContinuousClock.Instant] = [:]
    private var lookups: [String: Task<KeyInfo?, any Error>] = [:]

    package init(pool: PostgresPool, logger: Logger, refresh: Duration = .seconds(3)) {
        self.pool = pool
        self.logger = logger
        self.refresh = refresh
    }

    /// The key, or nil when there is none of that name; throws when only the database could tell and it is away.
    package func key(_ publicKey: String) async throws -> KeyInfo? {
        if let info = known[publicKey] { return info }
        if let until = unknown[publicKey] {
            if ContinuousClock.now < until { return nil }
            unknown[publicKey] = nil
        }
        // Requests that ask for the same key at once share one question.
        if let running = lookups[publicKey] { return try await running.value }
        let lookup = Task { [pool] in try await Self.read([publicKey], pool).first?.info }
        lookups[publicKey] = lookup
        defer { lookups[publicKey] = nil }
        let found = try await lookup.value
        if let found {
            if known.count >= Self.maxKnown { known.removeAll() }
            known[publicKey] = found
        } else {
            if unknown.count >= Self.maxUnknown { unknown.removeAll() }
            unknown[publicKey] = .now + refresh
        }
        return found
    }

    /// Keeps the keys in use up to date until it is stopped.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: refresh)
                await refreshKnown()
            }
        }
    }

    private func refreshKnown() async {
        let names = Array(known.keys)
        guard !names.isEmpty, !Task.isCancelled else { return }
        do {
            var current: [String: KeyInfo] = [:]
            for (name, info) in try await Self.read(names, pool) { current[name] = info }
            for name in names { known[name] = current[name] }
        } catch {
            // The keys stay as they were: an outage must not make known senders unknown.
            logger.debug("keys not refreshed", metadata: ["db.error": "\(error)"])
        }
    }

    private static func read(_ names: [String], _ pool: PostgresPool) async throws -> [(name: String, info: KeyInfo)] {
        try await pool.execute(KeyStatements.find, [.array(of: names)])
            .map { row in
                (
                    try row.read("public_key"),
                    KeyInfo(
                        keyID: try row.read("id"),
                        projectID: try row.read("project_id"),
                        project: try row.read("project"),
                        organization: try row.read("organization"),
                        isActive: try row.read("is_active")
                    )
                )
            }
    }
}

enum KeyStatements {
    static let all = [find]

    static let find = PostgresStatement(
        "keys",
        """
        SELECT k.public_key, k.id, k.project_id, k.is_active AND p.deleted_at IS NULL AS is_active,
            p.slug AS project, o.slug AS organization
        FROM project_key k
        JOIN project p ON p.id = k.project_id
        JOIN organization o ON o.id = p.organization_id
        WHERE k.public_key = ANY ($1)
        """,
        [PostgresType.text.array]
    )
}
