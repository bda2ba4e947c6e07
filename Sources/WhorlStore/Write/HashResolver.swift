import WhorlPostgres
import WhorlProcessing

/// Finds the hash by which an event is grouped, or makes it, with a new issue where none of its hashes points to one.
enum HashResolver {
    static func resolve(
        _ prepared: PreparedEvent,
        releaseID: Int?,
        _ connection: PostgresConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws -> (id: Int, isNewIssue: Bool) {
        let event = prepared.event
        let values: [PostgresValue] = [
            event.projectID.postgresValue, .array(of: event.hashes.map(\.hash)),
            Int16(event.level.number).postgresValue,
            event.type.postgresValue, event.title.postgresValue, event.culprit.postgresValue,
            .optional(event.location), event.metadata.text.postgresValue, event.platform.postgresValue,
            .optional(event.logger), event.isUnhandled.postgresValue, event.occurredAt.postgresValue,
            .optional(releaseID),
        ]
        while true {
            let rows = try await connection.execute(ReferenceStatements.hash, values, deadline: deadline)
            if let row = rows.first, let id = try row.readOptional("hash_id", as: Int.self) {
                return (id, try row.read("is_new_issue"))
            }
            _ = try await connection.execute(
                ReferenceStatements.orphan,
                [event.projectID.postgresValue, prepared.hashKey.hash.postgresValue],
                deadline: deadline
            )
        }
    }
}
