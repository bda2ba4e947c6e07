import Foundation
import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlProcessing
import WhorlServices
import WhorlThreads

/// An in-memory directory of public keys, so that requests do not wait for a database lookup of their key.
///
/// `run()` reads the configuration version at the interval `refresh` and reloads all keys when it changed, so a
/// disabled key is rejected after at most `refresh`. A copy in the data directory serves a start without the database.
/// Unknown keys are looked up individually and cached as unknown for `refresh`, so that invalid keys never delay valid
/// ones. All memory is bounded.
package actor KeyDirectory: Service {
    /// The maximum number of keys in memory; further keys are looked up individually when they are used.
    private static let maxKnown = 100_000
    private static let maxUnknown = 10_000
    /// The maximum number of concurrent lookups of unknown keys; further requests fail and must be repeated.
    private static let maxLookups = 100

    /// The slugs and grouping settings of a project.
    private struct Place: Sendable {
        let organization: String
        let project: String
        let grouping: ProjectGrouping
    }

    private struct Single {
        let info: KeyInfo?
        let until: ContinuousClock.Instant
    }

    private let pool: PostgresPool
    private let logger: Logger
    private let refresh: Duration
    /// Decodes rows on its own thread, since 100,000 keys take a while.
    private let thread = WorkThread(name: "keys")
    private let copyWriter: KeyCopyWriter?
    private var version: Int?
    private var known: [String: KeyInfo]
    /// The grouping settings for replayed events by project; rebuilt when keys or settings change.
    private var groupings: [Int: GroupingSettings] = [:]
    /// The grouping rules of the installation.
    package nonisolated let rules: GroupingRules
    private var places: [Int: Place] = [:]
    private var singles: [String: Single] = [:]
    /// The keys that are being looked up, each with the requests that wait for the same result.
    private var lookups: [String: [CheckedContinuation<Result<KeyInfo?, any Error>, Never>]] = [:]

    package init(
        pool: PostgresPool,
        copy: KeyCopy? = nil,
        rules: GroupingRules = .none,
        logger: Logger,
        refresh: Duration = .milliseconds(700)
    ) {
        self.pool = pool
        self.rules = rules
        self.logger = logger
        self.refresh = refresh
        copyWriter = copy.map { KeyCopyWriter(copy: $0, logger: logger) }
        known = copy?.load() ?? [:]
        places = Self.places(of: known)
    }

    deinit { copyWriter?.stop() }

    private static func places(of keys: [String: KeyInfo]) -> [Int: Place] {
        Dictionary(
            keys.values.map {
                (
                    $0.projectID,
                    Place(organization: $0.organization, project: $0.project, grouping: $0.settings.grouping)
                )
            }
        ) { first, _ in first }
    }

    /// The key, if it is known without a database query.
    package func known(_ publicKey: String) -> KeyInfo? {
        known[publicKey] ?? singles[publicKey].flatMap { ContinuousClock.now < $0.until ? $0.info : nil }
    }

    /// The key, or nil when it does not exist; throws when a database query is needed and fails.
    package func key(_ publicKey: String) async throws -> KeyInfo? {
        if let info = known[publicKey] { return info }
        if let single = singles[publicKey] {
            if ContinuousClock.now < single.until { return single.info }
            singles[publicKey] = nil
        }
        // Concurrent requests for the same key share one query.
        if lookups[publicKey] != nil {
            let result = await withCheckedContinuation { lookups[publicKey]?.append($0) }
            // Only the request that asked was cancelled: this one asks itself.
            if case .failure(let error as PostgresError) = result, error.code == .cancelled, !Task.isCancelled {
                return try await key(publicKey)
            }
            return try result.get()
        }
        guard lookups.count < Self.maxLookups else {
            throw PostgresError(.poolExhausted, "too many lookups of unknown keys are in progress")
        }
        lookups[publicKey] = []
        let result: Result<KeyInfo?, any Error>
        do {
            let found = try await find(publicKey)
            if singles.count >= Self.maxUnknown { singles.removeAll() }
            singles[publicKey] = Single(info: found, until: .now + refresh)
            result = .success(found)
        } catch {
            result = .failure(error)
        }
        for waiting in lookups.removeValue(forKey: publicKey) ?? [] { waiting.resume(returning: result) }
        return try result.get()
    }

    private func find(_ publicKey: String) async throws -> KeyInfo? {
        try Self.decode(try await pool.execute(KeyStatements.find, [.array(of: [publicKey])])).first?.value
    }

    /// Whether the project has a key, so that its events are stored; nil when that is not known.
    package func hasKey(projectID: Int) -> Bool? {
        guard version != nil, known.count < Self.maxKnown else { return nil }
        return places[projectID] != nil
    }

    /// Whether at most one project has keys.
    package var hasOneProject: Bool { places.count <= 1 && known.count < Self.maxKnown }

    /// Whether the project exists in the database, even without keys.
    package func exists(projectID: Int) async throws -> Bool {
        try await !pool.execute(KeyStatements.project, [projectID.postgresValue]).isEmpty
    }

    /// The grouping settings of a project.
    package func grouping(projectID: Int) -> GroupingSettings {
        if let known = groupings[projectID] { return known }
        let project = places[projectID]?.grouping ?? ProjectGrouping()
        let settings = project.settings(rules)
        groupings[projectID] = settings
        return settings
    }

    /// The slugs of a project and its organization.
    package func place(projectID: Int) -> (organization: String, project: String)? {
        places[projectID].map { ($0.organization, $0.project) }
    }

    /// Keeps the keys and their copy up to date until it is stopped.
    package func run() async throws {
        await PeriodicService(every: refresh, startsAtOnce: true) { await self.update() }.run()
    }

    /// Reloads the keys when they changed; returns false when the database query failed.
    @discardableResult
    package func update() async -> Bool {
        do {
            let versions = try await pool.execute(KeyStatements.version)
            guard let current = try versions.first?.read("version", as: Int.self), current != version else {
                return true
            }
            let rows = try await pool.execute(KeyStatements.all, [Self.maxKnown.postgresValue])
            (known, places) = try await thread.run {
                let keys = try Self.decode(rows)
                return (keys, Self.places(of: keys))
            }
            groupings = [:]
            singles = [:]
            version = current
        } catch {
            // The keys are kept: an outage must not make known keys unknown.
            logger.debug("keys not refreshed", metadata: ["db.error": "\(error)"])
            return false
        }
        copyWriter?.write(known)
        return true
    }

    private static func decode(_ rows: PostgresRows) throws -> [String: KeyInfo] {
        var keys: [String: KeyInfo] = [:]
        // Most keys share their project's settings, and most projects have the default settings.
        var parsed: [String: ProjectSettings] = [:]
        for row in rows {
            let text: String = try row.read("settings")
            let settings = parsed[text] ?? ProjectSettings(text: text)
            parsed[text] = settings
            let count: Int? = try row.readOptional("rate_limit_count")
            let seconds: Int? = try row.readOptional("rate_limit_seconds")
            keys[try row.read("public_key")] = KeyInfo(
                keyID: try row.read("id"),
                projectID: try row.read("project_id"),
                project: try row.read("project"),
                organization: try row.read("organization"),
                isActive: try row.read("is_active"),
                limit: count.flatMap { count in seconds.map { CountLimit(count: count, seconds: $0) } },
                settings: settings
            )
        }
        return keys
    }
}

enum KeyStatements {
    static let all = PostgresStatement("keys", "\(columns) ORDER BY k.id LIMIT $1", [.int8])
    static let find = PostgresStatement("keys", "\(columns) WHERE k.public_key = ANY ($1)", [PostgresType.text.array])
    static let version = PostgresStatement("keys_version", "SELECT version FROM configuration")
    static let project = PostgresStatement("project_exists", "SELECT id FROM project WHERE id = $1", [.int8])
    static let list = [all, find, version, project]

    private static let columns = """
        SELECT k.public_key, k.id, k.project_id, k.is_active AND p.deleted_at IS NULL AS is_active,
            k.rate_limit_count, k.rate_limit_seconds::int8 AS rate_limit_seconds, p.settings, p.slug AS project,
            o.slug AS organization
        FROM project_key k
        JOIN project p ON p.id = k.project_id
        JOIN organization o ON o.id = p.organization_id
        """
}
