import WhorlPostgres
import WhorlProcessing

/// Finds or creates the hashes by which events are grouped, with new issues for events whose hashes are all unknown.
///
/// Two statements handle a batch, however many hashes are new. Each statement is atomic by itself. Created rows remain
/// when the batch fails afterwards: an issue without events is not shown, and the first event stored for it announces
/// it as new.
enum HashResolver {
    /// The maximum number of attempts, since another collector may create or delete the same hashes concurrently.
    private static let maxRounds = 6

    /// An event with the id of its release.
    typealias Wanted = (event: PreparedEvent, releaseID: Int?)

    /// Returns the ids of all leading hashes.
    static func resolve(
        _ wanted: [Wanted],
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> [ReferenceCache.HashKey: Int] {
        let events = wanted.sorted { $0.event.hashKey < $1.event.hashKey }
        let keys = events.map { [$0.event.hashKey] + $0.event.aliasKeys }
        let all = Array(Set(keys.joined())).sorted()
        for round in 1...maxRounds {
            var known = try await find(all, connection, deadline)
            let plan = HashPlan(keys, known: known)
            var ids = known.mapValues(\.id)
            if !plan.isEmpty {
                for (key, id) in try await make(plan, events, connection, deadline) { ids[key] = id }
            }
            let missing = Set(keys.compactMap(\.first)).filter { ids[$0] == nil }
            if missing.isEmpty { return ids }
            // The hashes were created concurrently by another collector, or are left over from a deleted issue.
            if round > 1 { try await removeOrphans(Array(missing), connection, deadline) }
            known = [:]
        }
        throw PostgresError(.other, "hashes were created and deleted repeatedly while their events were being stored")
    }

    private static func find(
        _ keys: [ReferenceCache.HashKey],
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> [ReferenceCache.HashKey: HashPlan.Known] {
        let rows = try await connection.execute(
            ReferenceStatements.findHashes,
            [.array(of: keys.map(\.projectID)), .array(of: keys.map(\.hash))],
            deadline: deadline
        )
        var known: [ReferenceCache.HashKey: HashPlan.Known] = [:]
        for row in rows {
            known[.init(projectID: try row.read("project_id"), hash: try row.read("hash"))] = .init(
                id: try row.read("id"),
                issueID: try row.read("issue_id"),
                homeIssueID: try row.read("home_issue_id")
            )
        }
        return known
    }

    private static func make(
        _ plan: HashPlan,
        _ events: [Wanted],
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> [(ReferenceCache.HashKey, Int)] {
        let founded = plan.newIssueEvents.map { NewIssueRow(event: events[$0].event, releaseID: events[$0].releaseID) }
        let rows = try await connection.execute(
            ReferenceStatements.makeHashes,
            NewIssueRow.columns.values(founded) + FurtherHashRow.columns.values(plan.further),
            deadline: deadline
        )
        return try rows.map { row in
            (.init(projectID: try row.read("project_id"), hash: try row.read("hash")), try row.read("id"))
        }
    }

    private static func removeOrphans(
        _ keys: [ReferenceCache.HashKey],
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws {
        _ = try await connection.execute(
            ReferenceStatements.removeOrphans,
            [.array(of: keys.map(\.projectID)), .array(of: keys.map(\.hash))],
            deadline: deadline
        )
    }
}
