/// The migrations of the product, embedded in the program so that it needs no files beside it.
///
/// Add a file `migrations/v0002_….sql` and a line here; never edit one that was released.
package enum Schema {
    package static let migrations: [(number: Int, name: String, sql: String)] = [
        (1, "start", text(PackageResources.v0001_start_sql)),
        (2, "backlog_order", text(PackageResources.v0002_backlog_order_sql)),
        (3, "payload_dictionary", text(PackageResources.v0003_payload_dictionary_sql)),
        (4, "grouping", text(PackageResources.v0004_grouping_sql)),
        (5, "regrouping", text(PackageResources.v0005_regrouping_sql)),
        (6, "truth", text(PackageResources.v0006_truth_sql)),
        (7, "grouping_third", text(PackageResources.v0007_grouping_third_sql)),
        (8, "late_replay", text(PackageResources.v0008_late_replay_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
