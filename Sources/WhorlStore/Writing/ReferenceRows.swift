import WhorlPostgres
import WhorlProcessing

/// An issue to create, with its leading hash.
struct NewIssueRow: Sendable {
    let event: PreparedEvent
    let releaseID: Int?

    /// The columns of the parameters of ``ReferenceStatements/makeHashes`` for new issues.
    static let columns = RowColumns<NewIssueRow>([
        .column("project_id") { $0.event.event.projectID },
        .column("hash") { $0.event.hashKey.hash },
        .column("level") { Int16($0.event.event.level.number) },
        .column("type") { $0.event.event.type },
        .column("title") { $0.event.event.title },
        .column("culprit") { $0.event.event.culprit },
        .optional("location") { $0.event.event.location },
        .column("metadata") { $0.event.event.metadata.text },
        .column("platform") { $0.event.event.platform },
        .optional("logger") { $0.event.event.logger },
        .column("is_unhandled") { $0.event.event.isUnhandled },
        .column("occurred_at") { $0.event.event.occurredAt },
        .optional("release_id") { $0.releaseID },
    ])
}

/// A further hash of an issue that exists or is created by the same statement.
enum FurtherHashRow {
    /// The columns of the parameters of ``ReferenceStatements/makeHashes`` for further hashes.
    static let columns = RowColumns<HashPlan.Further>(
        firstParameter: NewIssueRow.columns.count + 1,
        [
            .column("project_id") { $0.key.projectID },
            .column("hash") { $0.key.hash },
            .optional("issue_id") { if case .issue(let id, _) = $0.owner { id } else { nil } },
            .optional("home_issue_id") { if case .issue(_, let home) = $0.owner { home } else { nil } },
            .optional("founder") { if case .founder(let key) = $0.owner { key.hash } else { nil } },
            .column("is_leading") { $0.isLeading },
        ]
    )
}
