import Foundation
import WhorlProcessing

/// How a project's events are grouped, as it lies in the database.
package struct ProjectGrouping: Sendable, Equatable, Codable {
    package var version: GroupingVersion
    /// The algorithm that leads until ``previousUntil``.
    package var previous: GroupingVersion?
    /// Unix time in seconds; then the new algorithm leads.
    package var previousUntil: Double?
    /// Rules as people wrote them; they were read once before they were kept.
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

    /// What the pipeline works with: rules of the project come before those of the installation.
    package func settings(_ installation: GroupingRules, now: Date = Date()) -> GroupingSettings {
        var settings = GroupingSettings()
        settings.version = version
        settings.previous = isInTransition(now) ? previous : nil
        let own = try? GroupingRules(fingerprints: fingerprintRules, stacks: stackRules)
        settings.rules = (own ?? .none).followed(by: installation)
        return settings
    }

    /// Whether the older algorithm still leads.
    package func isInTransition(_ now: Date) -> Bool {
        previous != nil && previousUntil.map { now.timeIntervalSince1970 < $0 } ?? false
    }
}
