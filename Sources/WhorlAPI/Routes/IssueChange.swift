import WhorlProtocol
import WhorlStore

/// The changes that the body of an update requests.
struct IssueChange: Sendable {
    private let status: IssueStatus?
    private let substatus: String?
    private let merges: Bool

    /// Members that Sentry's clients send for features that are not implemented.
    private static let unbuilt: Set<String> = [
        "statusDetails", "ignoreDuration", "ignoreCount", "ignoreWindow", "ignoreUserCount", "ignoreUserWindow",
        "inNextRelease", "inRelease", "inCommit", "snoozeDuration", "assignedTo", "priority", "isBookmarked",
        "isSubscribed", "hasSeen", "isPublic", "discard", "inbox",
    ]

    /// Reads the supported members; every other member is refused by name.
    ///
    /// This prevents a client from taking a 200 as confirmation of a change that was not made.
    init(_ body: JSON?) throws {
        guard let body, let members = body.object else { throw APIError.badRequest("The body must be an object") }
        // Null and an empty object request no change.
        for (name, value) in members where value != .null && value.object?.isEmpty != true {
            if Self.unbuilt.contains(name) { throw APIError.notImplemented(name) }
            guard ["status", "substatus", "merge"].contains(name) else {
                throw APIError.badRequest("Unknown member \(name.prefix(40)); supported: status, substatus, merge")
            }
        }
        let wish = body["merge"] ?? .null
        guard wish == .null || wish.bool != nil || [0, 1].contains(wish.int) else {
            throw APIError.badRequest("merge must be true, false, 1 or 0")
        }
        merges = wish.bool ?? (wish.int == 1)
        let substatus = body["substatus"].flatMap { $0 == .null ? nil : $0 }
        guard let value = body["status"], value != .null else {
            guard substatus == nil else { throw APIError.badRequest("substatus needs a status") }
            guard merges else { throw APIError.badRequest("The body requests no change; supported: status, merge") }
            (status, self.substatus) = (nil, nil)
            return
        }
        if value.string == "resolvedInNextRelease" { throw APIError.notImplemented("status resolvedInNextRelease") }
        guard let name = value.string, let status = IssueStatus(name: name) else {
            throw APIError.badRequest("Invalid status: \(value.text.prefix(40))")
        }
        self.status = status
        self.substatus = try Self.substatus(substatus, of: status)
    }

    private static func substatus(_ wanted: JSON?, of status: IssueStatus) throws -> String? {
        let word = wanted?.string
        if let word, word.hasPrefix("archived_until") { throw APIError.notImplemented("substatus \(word.prefix(40))") }
        let own: String? =
            switch status {
            case .resolved: nil
            case .ignored: "archived_forever"
            case .unresolved: "ongoing"
            }
        guard wanted == nil || word == own else {
            throw APIError.badRequest("Invalid substatus: \(wanted?.text.prefix(40) ?? "")")
        }
        return own
    }

    /// Makes all changes in one transaction; returns the result of a merge for the response.
    func apply(to issues: [IssueQueries.Place], _ request: APIRequest) async throws -> JSON? {
        if merges { return try await merge(issues, request) }
        guard let status else { return nil }
        try await request.services.issues.update(issues, status: status, substatus: substatus, actor: request.actor)
        return nil
    }

    private func merge(_ issues: [IssueQueries.Place], _ request: APIRequest) async throws -> JSON {
        guard let projectID = issues.first?.projectID, issues.allSatisfy({ $0.projectID == projectID }) else {
            throw APIError.badRequest("Only issues of one project can be merged")
        }
        guard (2...IssueMerging.maxIssues).contains(Set(issues.map(\.id)).count) else {
            throw APIError.badRequest("A merge needs 2 to \(IssueMerging.maxIssues) issues")
        }
        do {
            let result = try await request.services.merging.merge(
                projectID: projectID,
                ids: issues.map(\.id),
                actor: request.actor
            ) { [status, substatus, actor = request.actor] connection, deadline in
                guard let status else { return }
                try await IssueQueries.update(
                    issues,
                    status: status,
                    substatus: substatus,
                    actor: actor,
                    on: connection,
                    deadline
                )
            }
            return [
                "parent": .string(String(result.target)),
                "children": .array(result.merged.map { .string(String($0)) }),
            ]
        } catch is IssueMerging.Failure {
            throw APIError.badRequest("Fewer than two of these issues are left to merge")
        }
    }

    /// The applied changes, for the response.
    var json: JSON {
        guard let status else { return [:] }
        return ["status": .string(status.name), "statusDetails": [:], "substatus": .optional(substatus)]
    }
}
