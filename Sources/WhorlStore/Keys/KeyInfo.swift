/// The properties of a key that ingestion needs.
package struct KeyInfo: Sendable, Equatable, Codable {
    package let keyID: Int
    package let projectID: Int
    package let project: String
    package let organization: String
    package let isActive: Bool
    /// The rate limit of the key; nil when it has no limit of its own.
    package var limit: CountLimit?
    /// Filters, scrubbing and limits of the project.
    package var settings: ProjectSettings
}

/// A limit of `count` events within `seconds` seconds.
package struct CountLimit: Sendable, Equatable, Codable {
    package var count: Int
    package var seconds: Int

    package init(count: Int, seconds: Int) {
        self.count = count
        self.seconds = seconds
    }
}
