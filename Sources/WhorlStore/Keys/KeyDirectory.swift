import Foundation
import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlProcessing
import WhorlServices
import WhorlThreads

/// The public keys, kept in memory, so that no request waits for the database to know its sender.
///
/// `run()` asks every few seconds whether anything changed, by one number, and then reads all keys anew: a key that is
/// switched off is refused at most `refresh` later. A copy in the data directory serves a start without the database. An
/// unknown key is looked up by itself and remembered as unknown for as long, so that wrong keys never stand in the way of
/// right ones. Everything is bounded.
package actor KeyDirectory: Service {
    /// Keys that are held; more are looked up one by one when they are used.
    private static let maxKnown = 100_000
    private static let maxUnknown = 10_000
    /// Unknown keys that are asked for at the same time; more have to come again.
    private static let maxLookups = 100

    /// What is known of a project.
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
    private let copy: KeyCopy?
    /// Reads rows: 100,000 keys take a while.
    private let thread = WorkThread(name: "keys")
    /// Writes the copy: a disk may hang.
    private let disk = WorkThread(name: "keys-copy")
    private let copyWanted: AsyncStream<Void>
    private let wantCopy: AsyncStream<Void>.Continuation
    private var version: Int?
    private var known: [String: KeyInfo]
    /// How replayed events are grouped, by project; read anew when keys or settings change.
    private var groupings: [Int: GroupingSettings] = [:]
    /// Grouping rules of the installation.
    package nonisolated let rules: GroupingRules
    private var places: [Int: Place] = [:]
    private var singles: [String: Single] = [:]
    /// Keys that are looked up, with the requests that wait for the same answer.
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
        self.copy = copy
        self.logger = logger
        self.refresh = refresh
        (copyWanted, wantCopy) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        known = copy?.load() ?? [:]
        places = Self.places(of: known)
    }

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

    /// The key, when it can be told without asking the database.
    package func known(_ publicKey: String) -> KeyInfo? {
        known[publicKey] ?? singles[publicKey].flatMap { ContinuousClock.now < $0.until ? $0.info : nil }
    }

    /// The key, or nil when there is none of that name; throws when only the database could tell and it is away.
    package func key(_ publicKey: String) async throws -> KeyInfo? {
        if let info = known[publicKey] { return info }
        if let single = singles[publicKey] {
            if ContinuousClock.now < single.until { return single.info }
            singles[publicKey] = nil
        }
        // Requests that ask for the same key at once share one query.
        if lookups[publicKey] != nil {
            return try await withCheckedContinuation { lookups[publicKey]?.append($0) }.get()
        }
        guard lookups.count < Self.maxLookups else {
            throw PostgresError(.poolExhausted, "too many unknown keys are looked up")
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

    /// Whether the project has a key, so that its events are wanted; nil when that is not known.
    package func isLive(projectID: Int) -> Bool? {
        guard version != nil, known.count < Self.maxKnown else { return nil }
        return places[projectID] != nil
    }

    /// Whether no two projects have keys.
    package var hasOneProject: Bool { places.count <= 1 && known.count < Self.maxKnown }

    /// Whether the database has the project, also one without keys.
    package func exists(projectID: Int) async throws -> Bool {
        try await !pool.execute(KeyStatements.project, [projectID.postgresValue]).isEmpty
    }

    /// How the events of a project are grouped.
    package func grouping(projectID: Int) -> GroupingSettings {
        if let known = groupings[projectID] { return known }
        let project = places[projectID]?.grouping ?? ProjectGrouping()
        let settings = project.settings(rules)
        groupings[projectID] = settings
        return settings
    }

    /// The slugs of a project.
    package func place(projectID: Int) -> (organization: String, project: String)? {
        places[projectID].map { ($0.organization, $0.project) }
    }

    /// Keeps the keys and their copy up to date until it is stopped.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                await PeriodicService(every: refresh, startsAtOnce: true) { await self.update() }.run()
            }
            if let copy { group.addTask { await self.copyChanges(to: copy) } }
        }
    }

    /// Reads the keys anew when they changed; false when the database could not be asked.
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
            // The keys stay as they were: an outage must not make known senders unknown.
            logger.debug("keys not refreshed", metadata: ["db.error": "\(error)"])
            return false
        }
        wantCopy.yield()
        return true
    }

    /// Copies the keys whenever they changed.
    ///
    /// Apart from the refreshing: a disk that hangs must not keep a disabled key active.
    private func copyChanges(to copy: KeyCopy) async {
        await cancelWhenGracefulShutdown { [self] in
            for await _ in copyWanted {
                let keys = await known
                do {
                    try await disk.run { try copy.save(keys) }
                } catch {
                    logger.warning("keys not copied to the data directory", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private static func decode(_ rows: PostgresRows) throws -> [String: KeyInfo] {
        var keys: [String: KeyInfo] = [:]
        // Most keys share their project's settings, and most projects have the defaults.
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
