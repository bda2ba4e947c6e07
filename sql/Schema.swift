/// The migrations of the product, embedded in the program so that it needs no files beside it.
///
/// Add a file `migrations/v0002_….sql` and a line here; never edit one that was released.
package enum Schema {
    package static let migrations: [(number: Int, name: String, sql: String)] = [
        (1, "start", String(decoding: PackageResources.v0001_start_sql, as: UTF8.self))
    ]
}
