import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlTelemetry

#if DEBUG
import WhorlFaults
#endif

/// Stores one batch of events: finds what they refer to, then runs the one statement that inserts and counts.
///
/// That statement is a transaction by itself. Where something is unknown, a constant number of statements finds or makes it
/// before; what they made stays when the batch fails. Events that another collector may store at the same moment under
/// another day are guarded by locks (``DuplicateGuard``).
struct BatchTransaction: Sendable {
    let events: [PreparedEvent]
    let known: ReferenceCache

    /// What a committed transaction did.
    struct Committed: Sendable {
        /// In the order of ``events``; nil for an event whose hash was deleted meanwhile, so that it has to be tried again.
        var results: [WriteResult?]
        /// What was found on the way; true once the transaction has committed.
        var found: ReferenceCache
    }

    func run(_ connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws -> Committed {
        let isKnown = events.allSatisfy { event in
            known.knowsHashes(of: event) && known.environments[event.environmentKey] != nil
                && event.releaseKey.map { known.releases[$0] != nil } ?? true
        }
        let resolution = isKnown ? Resolution() : try await resolve(connection, deadline)
        let guarded = events.indices.filter { DuplicateGuard.needsLock(events[$0]) }
        guard !guarded.isEmpty else { return try await store(connection, resolution, deadline) }
        return try await connection.transaction(deadline: deadline) { connection in
            var resolution = resolution
            resolution.duplicates.formUnion(
                try await DuplicateGuard.lock(guarded.map { events[$0] }, connection, deadline).map { guarded[$0] }
            )
            return try await store(connection, resolution, deadline)
        }
    }

    // MARK: - What events refer to

    private struct Resolution: Sendable {
        var found = ReferenceCache()
        /// Places of events that are stored already.
        var duplicates: Set<Int> = []
    }

    private func resolve(
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Resolution {
        var resolution = Resolution()
        let unknown = events.indices.filter { !known.knowsHashes(of: events[$0]) }
        // A duplicate must not make an issue of its own.
        if !unknown.isEmpty { resolution.duplicates = try await probe(unknown, connection, deadline) }
        let fresh = events.indices.filter { !resolution.duplicates.contains($0) }
        let releases = Set(fresh.compactMap { events[$0].releaseKey }).filter { known.releases[$0] == nil }
        for (key, id) in try await names(ReferenceStatements.releases, releases, connection, deadline) {
            resolution.found.add(release: key, id)
        }
        let environments = Set(fresh.map { events[$0].environmentKey }).filter { known.environments[$0] == nil }
        for (key, id) in try await names(ReferenceStatements.environments, environments, connection, deadline) {
            resolution.found.add(environment: key, id)
        }
        let wanted = fresh.filter { !known.knowsHashes(of: events[$0]) }
            .map { index -> HashResolver.Wanted in
                (
                    events[index],
                    events[index].releaseKey.flatMap { known.releases[$0] ?? resolution.found.releases[$0] }
                )
            }
        if !wanted.isEmpty {
            let ids = try await HashResolver.resolve(wanted, connection, deadline)
            for (event, _) in wanted {
                if let id = ids[event.hashKey] { resolution.found.add(hash: event.hashKey, id) }
                for alias in event.aliasKeys { resolution.found.add(alias: alias) }
            }
        }
        return resolution
    }

    private func probe(
        _ indices: [Int],
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Set<Int> {
        let candidates = indices.map { events[$0].event }
        let rows = try await connection.execute(
            BatchStatements.probe,
            [
                .array(of: candidates.map(\.projectID)), .array(of: candidates.map(\.eventID.uuid)),
                .array(of: candidates.map { PostgresDay($0.receivedAt) }),
            ],
            deadline: deadline
        )
        var stored: Set<EventKey> = []
        for row in rows { stored.insert(EventKey(try row.read("project_id"), try row.read("event_id"))) }
        return Set(indices.filter { stored.contains(EventKey(events[$0].event)) })
    }

    private func names(
        _ statement: PostgresStatement,
        _ keys: Set<ReferenceCache.NameKey>,
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> [ReferenceCache.NameKey: Int] {
        var found: [ReferenceCache.NameKey: Int] = [:]
        var missing = keys
        // Another collector may make the same name at that moment; then it is there the next time.
        for _ in 0..<5 where !missing.isEmpty {
            let wanted = missing.sorted()
            let rows = try await connection.execute(
                statement,
                [.array(of: wanted.map(\.projectID)), .array(of: wanted.map(\.name))],
                deadline: deadline
            )
            for row in rows {
                let key = ReferenceCache.NameKey(projectID: try row.read("project_id"), name: try row.read("name"))
                if let id: Int = try row.readOptional("id") { found[key] = id }
            }
            missing = missing.filter { found[$0] == nil }
        }
        guard missing.isEmpty else { throw PostgresError(.other, "a name could neither be found nor made") }
        return found
    }

    // MARK: - Rows and counters

    private func store(
        _ connection: PostgresConnection,
        _ resolution: Resolution,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Committed {
        let found = resolution.found
        let duplicates = resolution.duplicates
        let indices = events.indices.filter { !duplicates.contains($0) }
        let batch = indices.map { events[$0] }
        var results = [WriteResult?](repeating: .duplicate, count: events.count)
        guard !batch.isEmpty else { return Committed(results: results, found: found) }
        let rows = batch.map { event in
            BatchRow(
                event: event,
                hashID: known.hashes[event.hashKey] ?? found.hashes[event.hashKey] ?? 0,
                environmentID: known.environments[event.environmentKey] ?? found.environments[event.environmentKey]
                    ?? 0,
                releaseID: event.releaseKey.flatMap { known.releases[$0] ?? found.releases[$0] }
            )
        }
        #if DEBUG
        Fault.crashPoint(.beforeCommit)
        #endif
        let stored = try await connection.execute(
            BatchStatements.store,
            BatchRow.columns.values(rows),
            deadline: deadline
        )
        var byKey: [EventKey: WriteResult?] = [:]
        // One event of the batch tells of each regression and of each new issue.
        var regressed: Set<Int> = []
        var announced: Set<Int> = []
        for row in stored {
            let key = EventKey(try row.read("project_id"), try row.read("event_id"))
            if try !row.read("alive", as: Bool.self) {
                byKey[key] = .some(nil)
            } else if try row.read("stored", as: Bool.self) {
                let issue: Int = try row.read("issue_id")
                byKey[key] = .stored(
                    isNewIssue: try row.read("is_first", as: Bool.self) && announced.insert(issue).inserted,
                    isRegression: try row.read("regressed", as: Bool.self) && regressed.insert(issue).inserted
                )
            }
        }
        for (place, index) in indices.enumerated() {
            results[index] = byKey[EventKey(batch[place].event), default: .duplicate]
        }
        return Committed(results: results, found: found)
    }
}

/// The identity of an event across projects.
struct EventKey: Hashable {
    let projectID: Int
    let eventID: UUID

    init(_ projectID: Int, _ eventID: UUID) {
        self.projectID = projectID
        self.eventID = eventID
    }

    init(_ event: ProcessedEvent) {
        self.init(event.projectID, event.eventID.uuid)
    }
}

extension ReferenceCache.NameKey: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        (left.projectID, left.name) < (right.projectID, right.name)
    }
}

extension ReferenceCache.HashKey: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        left.projectID == right.projectID
            ? left.hash.lexicographicallyPrecedes(right.hash) : left.projectID < right.projectID
    }
}
