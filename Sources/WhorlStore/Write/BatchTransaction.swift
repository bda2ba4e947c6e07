import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlTelemetry

/// Stores one batch of events: finds what they refer to, then runs the one statement that inserts and counts.
///
/// All in one transaction. When everything is known from the cache there is only that statement, which is a transaction
/// by itself.
struct BatchTransaction: Sendable {
    /// What became of one event.
    enum Result: Sendable {
        case stored(isNewIssue: Bool, isRegression: Bool)
        case duplicate
        /// The hash was deleted between being found and being used; the event has to go round once more.
        case staleHash
    }

    let events: [PreparedEvent]
    let known: ReferenceCache

    struct Outcome: Sendable {
        /// In the order of ``events``.
        var results: [Result]
        /// What was found on the way; true once the transaction has committed.
        var found: ReferenceCache
    }

    func run(_ connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws -> Outcome {
        let isKnown = events.allSatisfy { event in
            known.knowsHashes(of: event) && known.environments[event.environmentKey] != nil
                && event.releaseKey.map { known.releases[$0] != nil } ?? true
        }
        if isKnown { return try await store(connection, ReferenceCache(), [], deadline) }
        return try await connection.transaction(deadline: deadline) { connection in
            let resolution = try await resolve(connection, deadline)
            return try await store(connection, resolution.found, resolution.newIssues, deadline, resolution.duplicates)
        }
    }

    // MARK: - What events refer to

    private struct Resolution {
        var found = ReferenceCache()
        /// Hashes that came with a new issue.
        var newIssues: Set<ReferenceCache.HashKey> = []
        /// Places of events that are stored already.
        var duplicates: Set<Int> = []
    }

    private func resolve(
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Resolution {
        var resolution = Resolution()
        let unknown = events.indices.filter { !known.knowsHashes(of: events[$0]) }
        if !unknown.isEmpty {
            resolution.duplicates = try await probe(unknown, connection, deadline)
        }
        let fresh = events.indices.filter { !resolution.duplicates.contains($0) }
        // Everything in the order of its keys, so that two collectors which meet the same new things cannot wait for each
        // other in a circle.
        let releases = Set(fresh.compactMap { events[$0].releaseKey }).filter { known.releases[$0] == nil }
        for key in releases.sorted() {
            resolution.found.add(release: key, try await name(ReferenceStatements.release, key, connection, deadline))
        }
        let environments = Set(fresh.map { events[$0].environmentKey }).filter { known.environments[$0] == nil }
        for key in environments.sorted() {
            let id = try await name(ReferenceStatements.environment, key, connection, deadline)
            resolution.found.add(environment: key, id)
        }
        let ordered = fresh.filter { !known.knowsHashes(of: events[$0]) }
            .sorted { events[$0].hashKey < events[$1].hashKey }
        for index in ordered where !resolution.found.knowsHashes(of: events[index]) {
            let release = events[index].releaseKey
                .flatMap { known.releases[$0] ?? resolution.found.releases[$0] }
            let (id, isNew) = try await HashResolver.resolve(events[index], releaseID: release, connection, deadline)
            resolution.found.add(hash: events[index].hashKey, id)
            for alias in events[index].aliasKeys { resolution.found.add(alias: alias) }
            if isNew { resolution.newIssues.insert(events[index].hashKey) }
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

    private func name(
        _ statement: PostgresStatement,
        _ key: ReferenceCache.NameKey,
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Int {
        // Nothing comes back when another collector makes the same row at that moment; then it is there the next time.
        while true {
            let rows = try await connection.execute(
                statement,
                [key.projectID.postgresValue, key.name.postgresValue],
                deadline: deadline
            )
            if let row = rows.first { return try row.read("id") }
        }
    }

    // MARK: - Rows and counters

    private func store(
        _ connection: PostgresConnection,
        _ found: ReferenceCache,
        _ newIssues: Set<ReferenceCache.HashKey>,
        _ deadline: ContinuousClock.Instant,
        _ duplicates: Set<Int> = []
    ) async throws -> Outcome {
        let indices = events.indices.filter { !duplicates.contains($0) }
        let batch = indices.map { events[$0] }
        func values<Value>(_ value: (PreparedEvent) -> Value) -> [Value] { batch.map(value) }
        var results = [Result](repeating: .duplicate, count: events.count)
        guard !batch.isEmpty else { return Outcome(results: results, found: found) }
        func id(_ event: PreparedEvent) -> Int { known.hashes[event.hashKey] ?? found.hashes[event.hashKey] ?? 0 }
        func environment(_ event: PreparedEvent) -> Int {
            known.environments[event.environmentKey] ?? found.environments[event.environmentKey] ?? 0
        }
        func release(_ event: PreparedEvent) -> Int? {
            event.releaseKey.flatMap { known.releases[$0] ?? found.releases[$0] }
        }
        Fault.crashPoint(.beforeCommit)
        let rows = try await connection.execute(
            BatchStatements.store,
            [
                .array(of: values(\.event.projectID)), .array(of: values(\.event.eventID.uuid)),
                .array(of: values(\.event.receivedAt)), .array(of: values(\.event.occurredAt)),
                .array(of: values(id)), .array(of: values(environment)), .array(values(release)),
                .array(of: values { Int16($0.event.level.number) }), .array(values(\.event.userHash)),
                .array(of: values(\.event.title)), .array(of: values(\.tags)), .array(values(\.event.clientAddress)),
                .array(of: values(\.codec)), .array(of: values(\.payload)), .array(values(\.event.sentAt)),
                .array(values(\.notes)),
            ],
            deadline: deadline
        )
        var byKey: [EventKey: Result] = [:]
        var regressed: Set<Int> = []
        for row in rows {
            let key = EventKey(try row.read("project_id"), try row.read("event_id"))
            if try !row.read("alive", as: Bool.self) {
                byKey[key] = .staleHash
            } else if try row.read("stored", as: Bool.self) {
                // One event of the batch tells of the regression.
                let isRegression =
                    try row.read("regressed", as: Bool.self)
                    && regressed.insert(try row.read("issue_id")).inserted
                byKey[key] = .stored(isNewIssue: false, isRegression: isRegression)
            }
        }
        var announced = newIssues
        for (place, index) in indices.enumerated() {
            let result = byKey[EventKey(batch[place].event)] ?? .duplicate
            // The first stored event of a new hash tells of the new issue.
            if case .stored(_, let isRegression) = result, announced.remove(batch[place].hashKey) != nil {
                results[index] = .stored(isNewIssue: true, isRegression: isRegression)
            } else {
                results[index] = result
            }
        }
        return Outcome(results: results, found: found)
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
