import Foundation
import WhorlPostgres
import WhorlProtocol

/// The status that users give to an issue.
package enum IssueStatus: Int16, Sendable {
    case unresolved = 0
    case resolved = 1
    case ignored = 2

    package var name: String {
        switch self {
        case .unresolved: "unresolved"
        case .resolved: "resolved"
        case .ignored: "ignored"
        }
    }

    /// Makes a status from Sentry's name for it; accepts old names too.
    package init?(name: String) {
        switch name {
        case "unresolved": self = .unresolved
        case "resolved": self = .resolved
        case "ignored", "archived", "muted": self = .ignored
        default: return nil
        }
    }
}

/// A group of similar events, with its statistics.
package struct Issue: Sendable {
    package let id: Int
    package let projectID: Int
    package let project: String
    package let projectName: String
    package let projectPlatform: String?
    package let organization: String
    package let shortID: String
    package let status: IssueStatus
    package let substatus: String?
    package let level: Level
    package let type: String
    package let title: String
    package let culprit: String
    package let location: String?
    package let metadata: JSON
    package let platform: String
    package let logger: String?
    package let isUnhandled: Bool
    /// The time of the first event; like the statistics below, limited to the selected environments.
    package let firstSeen: Date
    package let lastSeen: Date
    package let events: Int
    package let users: Int
    package let firstRelease: String?
    package let lastRelease: String?

    init(_ row: PostgresRow) throws {
        id = try row.read("id")
        projectID = try row.read("project_id")
        project = try row.read("project")
        projectName = try row.read("project_name")
        projectPlatform = try row.readOptional("project_platform")
        organization = try row.read("organization")
        shortID = ShortID(project: project, number: try row.read("short_id")).text
        status = IssueStatus(rawValue: try row.read("status")) ?? .unresolved
        substatus = try row.readOptional("substatus")
        level = Level(number: try row.read("level")) ?? .error
        type = try row.read("type")
        title = try row.read("title")
        culprit = try row.read("culprit")
        location = try row.readOptional("location")
        let metadata = try row.read("metadata", as: String.self)
        self.metadata = (try? JSONDocument(Array(metadata.utf8)).root).map(JSON.init) ?? [:]
        platform = try row.read("platform")
        logger = try row.readOptional("logger")
        isUnhandled = try row.read("is_unhandled")
        firstSeen = try row.read("first_seen")
        lastSeen = try row.read("last_seen")
        events = try row.read("events")
        users = try row.read("users")
        firstRelease = try row.readOptional("first_release")
        lastRelease = try row.readOptional("last_release")
    }
}

/// One entry in the activity log of an issue.
package struct IssueActivity: Sendable {
    package let id: Int
    /// Sentry's name for the kind of activity, such as `set_resolved` or `merge`.
    package let kind: String
    package let at: Date
    /// The user who caused the activity; nil for the collector itself.
    package let actor: String?
    /// Additional data as a JSON object.
    package let data: String?
}

/// The readable id of an issue, such as `WEB-2A`: the project and a number in Crockford's base 32.
package struct ShortID: Sendable {
    package let project: String
    package let number: Int

    package init(project: String, number: Int) {
        self.project = project
        self.number = number
    }

    /// Parses a short id; returns nil when the text is not one.
    package init?(_ text: String) {
        guard let hyphen = text.lastIndex(of: "-"), hyphen != text.startIndex else { return nil }
        project = text[..<hyphen].lowercased()
        let digits = text[text.index(after: hyphen)...]
        guard (1...13).contains(digits.count) else { return nil }
        var number = 0
        for digit in digits.uppercased().utf8 {
            // Crockford reads O as 0, I and L as 1.
            let read: UInt8 =
                switch digit {
                case UInt8(ascii: "O"): UInt8(ascii: "0")
                case UInt8(ascii: "I"), UInt8(ascii: "L"): UInt8(ascii: "1")
                default: digit
                }
            guard let value = Self.alphabet.firstIndex(of: read) else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: 32)
            guard !overflow else { return nil }
            number = product + value
        }
        self.number = number
    }

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    package var text: String {
        var digits: [UInt8] = []
        var rest = max(number, 0)
        repeat {
            digits.insert(Self.alphabet[rest % 32], at: 0)
            rest /= 32
        } while rest > 0
        return "\(project.uppercased())-\(String(decoding: digits, as: UTF8.self))"
    }
}
