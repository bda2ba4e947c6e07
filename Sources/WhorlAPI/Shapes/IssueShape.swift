import Foundation
import WhorlProtocol
import WhorlStore

/// An issue in the format of Sentry (protocol facts, section 7.4).
enum IssueShape {
    static func json(_ issue: Issue, publicURL: String, stats: JSON?) -> JSON {
        var members = members(issue, publicURL)
        if let stats { members.append(("stats", stats)) }
        return .object(members)
    }

    static func detail(
        _ issue: Issue,
        publicURL: String,
        stats: JSON,
        eventsWithoutPayload: Int,
        tags: [JSON],
        activity: [IssueActivity]
    ) -> JSON {
        .object(
            members(issue, publicURL) + [
                ("stats", stats), ("thinEvents", .int(eventsWithoutPayload)), ("tags", .array(tags)),
                (
                    "activity",
                    .array(
                        activity.map { entry in
                            [
                                "id": .string(String(entry.id)), "type": .string(entry.kind),
                                "data": entry.data.flatMap { try? JSONDocument(Array($0.utf8)).root }.map(JSON.init)
                                    ?? [:],
                                "user": entry.actor.map { ["name": .string($0)] } ?? nil,
                                "dateCreated": .string(Timestamp.format(entry.at)),
                            ]
                        }
                    )
                ),
                ("seenBy", []), ("participants", []), ("pluginActions", []), ("pluginIssues", []),
                ("pluginContexts", []), ("userReportCount", 0), ("firstRelease", release(issue.firstRelease)),
                ("lastRelease", release(issue.lastRelease)),
            ]
        )
    }

    private static func release(_ version: String?) -> JSON {
        version.map { ["version": .string($0), "shortVersion": .string($0)] } ?? nil
    }

    private static func members(_ issue: Issue, _ publicURL: String) -> [(key: String, value: JSON)] {
        let priority = issue.level >= .error ? "high" : issue.level == .warning ? "medium" : "low"
        let permalink = "\(publicURL)/organizations/\(issue.organization)/issues/\(issue.id)/"
        return [
            ("id", .string(String(issue.id))), ("shareId", nil), ("shortId", .string(issue.shortID)),
            ("title", .string(issue.title)), ("culprit", .string(issue.culprit)), ("permalink", .string(permalink)),
            ("logger", .optional(issue.logger)), ("level", .string(issue.level.rawValue)),
            ("status", .string(issue.status.name)), ("statusDetails", [:]), ("substatus", .optional(issue.substatus)),
            ("isPublic", false), ("platform", .string(issue.platform)), ("priority", .string(priority)),
            ("priorityLockedAt", nil),
            (
                "project",
                [
                    "id": .string(String(issue.projectID)), "name": .string(issue.projectName),
                    "slug": .string(issue.project), "platform": .optional(issue.projectPlatform),
                ]
            ),
            ("type", .string(issue.type)), ("issueType", "error"), ("issueCategory", "error"),
            ("metadata", issue.metadata), ("location", .optional(issue.location)), ("numComments", 0),
            ("assignedTo", nil), ("isBookmarked", false), ("isSubscribed", false), ("subscriptionDetails", nil),
            ("hasSeen", false), ("annotations", []), ("isUnhandled", .bool(issue.isUnhandled)),
            ("count", .string(String(issue.events))), ("userCount", .int(issue.users)),
            ("firstSeen", .string(Timestamp.format(issue.firstSeen))),
            ("lastSeen", .string(Timestamp.format(issue.lastSeen))),
        ]
    }
}

/// The tags of an issue in the format of Sentry.
enum TagShape {
    static func json(_ key: TagQueries.Key, top: [TagQueries.Value]) -> JSON {
        [
            "key": .string(key.key), "name": .string(name(key.key)), "totalValues": .int(key.events),
            "uniqueValues": .int(key.values), "topValues": .array(top.map(value)),
        ]
    }

    static func value(_ value: TagQueries.Value) -> JSON {
        [
            "key": .string(value.key), "name": .string(value.value), "value": .string(value.value),
            "count": .int(value.events), "firstSeen": .string(Timestamp.format(value.firstSeen)),
            "lastSeen": .string(Timestamp.format(value.lastSeen)),
        ]
    }

    private static func name(_ key: String) -> String {
        key.split { $0 == "_" || $0 == "-" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: " ")
    }
}
