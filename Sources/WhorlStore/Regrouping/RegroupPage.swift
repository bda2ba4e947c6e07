import Foundation
import WhorlPostgres
import WhorlProtocol

/// One page of a regrouping job, within its transaction.
struct RegroupPage {
    let connection: PostgresConnection
    let deadline: ContinuousClock.Instant
    let projectID: Int
    let jobID: Int

    /// An event with its current hash and, as part of `event`, its new hash.
    struct Candidate {
        let eventID: EventID
        let day: PostgresDay
        let occurredAt: Date
        let hashID: Int
        let hash: [UInt8]
        let releaseID: Int?
        /// Nil when the payload cannot be parsed.
        let event: PreparedEvent?
    }

    @discardableResult
    func execute(_ statement: PostgresStatement, _ values: [PostgresValue] = []) async throws -> PostgresRows {
        try await connection.execute(
            statement,
            [projectID.postgresValue, jobID.postgresValue] + values,
            deadline: deadline
        )
    }

    func forward(_ batch: Int, _ events: [Candidate]) async throws {
        guard let last = events.last else {
            try await hideEmpty()
            try await execute(RegroupStatements.finish, ["done".postgresValue])
            return
        }
        var targets: [[UInt8]: Int] = [:]
        var moves: [(event: Candidate, target: Int)] = []
        for candidate in events {
            guard let event = candidate.event, event.hashKey.hash != candidate.hash else { continue }
            let target: Int
            if let known = targets[event.hashKey.hash] {
                target = known
            } else {
                target =
                    try await
                    HashResolver
                    .resolve([(event, candidate.releaseID)], connection, deadline)[event.hashKey] ?? 0
                targets[event.hashKey.hash] = target
            }
            moves.append((candidate, target))
        }
        var moved = 0
        if !moves.isEmpty {
            let hashes = Set(moves.map(\.event.hashID) + moves.map(\.target))
            let issues = try await lock(Array(hashes))
            moved =
                try await execute(
                    RegroupStatements.move,
                    [
                        batch.postgresValue, .array(of: moves.map(\.event.eventID.uuid)),
                        .array(of: moves.map(\.event.day)), .array(of: moves.map(\.event.hashID)),
                        .array(of: moves.map(\.target)),
                    ]
                )
                .count
            try await count(batch, isBack: false)
            try await sum(issues)
        }
        try await execute(
            RegroupStatements.advance,
            [
                batch.postgresValue, last.occurredAt.postgresValue, last.eventID.uuid.postgresValue,
                events.count.postgresValue, moved.postgresValue,
            ]
        )
    }

    func revert(_ batch: Int) async throws {
        guard batch > 0 else {
            try await execute(RegroupStatements.finish, ["reverted".postgresValue])
            return
        }
        // Shows issues again that were hidden because all of their events had been moved.
        try await execute(RegroupStatements.showSources, [batch.postgresValue])
        try await execute(RegroupStatements.pointHome, [batch.postgresValue])
        let hashes = try await execute(RegroupStatements.hashes, [batch.postgresValue])
            .map { try $0.read("hash_id", as: Int.self) }
        let issues = try await lock(hashes)
        try await execute(RegroupStatements.moveBack, [batch.postgresValue])
        try await count(batch, isBack: true)
        try await sum(issues)
        try await execute(RegroupStatements.forget, [batch.postgresValue])
        try await execute(RegroupStatements.retreat, [(batch - 1).postgresValue])
    }

    /// Locks the issues of hashes, so that no events are counted on them in the meantime.
    private func lock(_ hashes: [Int]) async throws -> [Int] {
        let values: [PostgresValue] = [projectID.postgresValue, .array(of: hashes)]
        let locked = try await connection.execute(RegroupStatements.lock, values, deadline: deadline)
            .map { try $0.read("id", as: Int.self) }
        // Hashes may have been merged into other issues while this transaction waited for the locks.
        let pointed = try await connection.execute(RegroupStatements.pointed, values, deadline: deadline)
            .map { try $0.read("issue_id", as: Int.self) }
        guard Set(pointed).isSubset(of: locked) else {
            throw PostgresError(.other, "issues were merged while their events were regrouped")
        }
        return locked
    }

    /// Moves the counts of a page's events from hash to hash.
    private func count(_ batch: Int, isBack: Bool) async throws {
        for statement in RegroupCounting.statements {
            try await execute(statement, [batch.postgresValue, isBack.postgresValue])
        }
    }

    private func sum(_ issues: [Int]) async throws {
        _ = try await connection.execute(
            MergeStatements.sum,
            [projectID.postgresValue, .array(of: issues)],
            deadline: deadline
        )
    }

    /// Merges issues without events into the issues that received most of their events, so that their hashes point
    /// there.
    private func hideEmpty() async throws {
        let emptied = try await execute(RegroupStatements.emptied)
        let issues = Set(
            try emptied.flatMap { [try $0.read("source", as: Int.self), try $0.read("target", as: Int.self)] }
        )
        _ = try await connection.execute(
            MergeStatements.lock,
            [projectID.postgresValue, .array(of: Array(issues))],
            deadline: deadline
        )
        for row in emptied {
            let values: [PostgresValue] = [
                projectID.postgresValue, .array(of: [try row.read("source", as: Int.self)]),
                try row.read("target", as: Int.self).postgresValue,
            ]
            for statement in [MergeStatements.point, MergeStatements.hide] {
                _ = try await connection.execute(statement, values, deadline: deadline)
            }
        }
        try await sum(Array(Set(try emptied.map { try $0.read("target", as: Int.self) })))
    }
}
