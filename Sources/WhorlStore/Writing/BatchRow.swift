import WhorlPostgres

/// One event of a batch with the ids of its hash, environment and release.
struct BatchRow: Sendable {
    let event: PreparedEvent
    let hashID: Int
    let environmentID: Int
    let releaseID: Int?

    /// The columns of the parameters of ``BatchStatements/store``.
    static let columns = RowColumns<BatchRow>([
        .column("project_id") { $0.event.event.projectID },
        .column("event_id") { $0.event.event.eventID.uuid },
        .column("received_at") { $0.event.event.receivedAt },
        .column("occurred_at") { $0.event.event.occurredAt },
        .column("hash_id") { $0.hashID },
        .column("environment_id") { $0.environmentID },
        .optional("release_id") { $0.releaseID },
        .column("level") { Int16($0.event.event.level.number) },
        .optional("user_hash") { $0.event.event.userHash },
        .column("title") { $0.event.event.title },
        .column("tags") { $0.event.tags },
        .optional("client_address") { $0.event.event.clientAddress },
        .column("payload_codec") { $0.event.codec },
        .column("payload") { $0.event.payload },
        .optional("sent_at") { $0.event.event.sentAt },
        .optional("notes") { $0.event.notes },
        .column("is_replay") { $0.event.isReplay },
    ])
}
