import Foundation
import WhorlProcessing

/// The grouping settings of a project, as stored in the database.
package struct ProjectGrouping: Sendable, Equatable, Codable {
    package var version: GroupingVersion
    /// The algorithm that provides the leading hash until ``previousUntil``.
    package var previous: GroupingVersion?
    /// The end of the transition as Unix time in seconds; after it, the new algorithm provides the leading hash.
    package var previousUntil: Double?
    /// The rules as the user wrote them; they were parsed successfully before they were stored.
    package var fingerprintRules: String
    package var stackRules: String

    package init() {
        version = .current
        fingerprintRules = ""
        stackRules = ""
    }

    private enum Keys: String, CodingKey {
        case version, previous, previousUntil, fingerprintRules, stackRules
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        version = try values.decodeIfPresent(GroupingVersion.self, forKey: .version) ?? .current
        previous = try values.decodeIfPresent(GroupingVersion.self, forKey: .previous)
        previousUntil = try values.decodeIfPresent(Double.self, forKey: .previousUntil)
        fingerprintRules = try values.decodeIfPresent(String.self, forKey: .fingerprintRules) ?? ""
        stackRules = try values.decodeIfPresent(String.self, forKey: .stackRules) ?? ""
    }

    /// The settings for the pipeline; the project's rules come before those of the installation.
    package func settings(_ installation: GroupingRules, now: Date = Date()) -> GroupingSettings {
        var settings = GroupingSettings()
        settings.version = version
        settings.previous = isInTransition(now) ? previous : nil
        let own = try? GroupingRules(fingerprints: fingerprintRules, stacks: stackRules)
        settings.rules = (own ?? .none).followed(by: installation)
        return settings
    }

    /// Whether the older algorithm still provides the leading hash.
    package func isInTransition(_ now: Date) -> Bool {
        previous != nil && previousUntil.map { now.timeIntervalSince1970 < $0 } ?? false
    }
}
