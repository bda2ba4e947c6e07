/// What ingest needs to know of a key.
package struct KeyInfo: Sendable, Equatable, Codable {
    package let keyID: Int
    package let projectID: Int
    package let project: String
    package let organization: String
    package let isActive: Bool
    /// How many events the key may send within a time; nil without a limit of its own.
    package var limit: CountLimit?
    /// Filters, scrubbing and limits of the project.
    package var settings: ProjectSettings
}

/// So many events within so many seconds.
package struct CountLimit: Sendable, Equatable, Codable {
    package var count: Int
    package var seconds: Int

    package init(count: Int, seconds: Int) {
        self.count = count
        self.seconds = seconds
    }
}
