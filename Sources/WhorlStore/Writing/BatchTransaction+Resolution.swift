import WhorlPostgres
import WhorlProcessing

extension BatchTransaction {
    struct Resolution: Sendable {
        var found = ReferenceCache()
        /// The indices of events that are already stored.
        var duplicates: Set<Int> = []
    }

    func resolve(
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Resolution {
        var resolution = Resolution()
        let unknown = events.indices.filter { !known.knowsHashes(of: events[$0]) }
        // A duplicate must not create an issue.
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
            ResolutionStatements.probe,
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
        // Another collector may create the same name concurrently; the next attempt finds it.
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
        guard missing.isEmpty else { throw PostgresError(.other, "a name could be neither found nor created") }
        return found
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

enum ResolutionStatements {
    static let all = [probe]

    /// Finds the events that are already stored, so that a duplicate does not create an issue.
    static let probe = PostgresStatement(
        "probe_duplicates",
        """
        SELECT i.project_id, i.event_id
        FROM unnest($1, $2, $3) AS i (project_id, event_id, day)
        WHERE EXISTS (
            SELECT FROM event e
            WHERE e.project_id = i.project_id AND e.event_id = i.event_id AND e.received_day = i.day)
        OR EXISTS (
            SELECT FROM event e
            WHERE e.project_id = i.project_id AND e.event_id = i.event_id AND e.received_day = i.day - 1)
        OR EXISTS (
            SELECT FROM event e
            WHERE e.project_id = i.project_id AND e.event_id = i.event_id AND e.received_day = i.day + 1)
        OR i.day >= (now() AT TIME ZONE 'UTC')::date - 1 AND EXISTS (
            SELECT FROM late_replay r WHERE r.project_id = i.project_id AND r.event_id = i.event_id)
        """,
        [PostgresType.int8.array, PostgresType.uuid.array, PostgresType.date.array]
    )
}
