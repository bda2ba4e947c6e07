import WhorlProtocol
import WhorlStore

/// What the body of an update asks to change.
struct IssueChange: Sendable {
    private let status: IssueStatus?
    private let substatus: String?
    private let merges: Bool

    /// The ways in which an issue can be ignored.
    private static let archived: Set<String> = [
        "archived_forever", "archived_until_escalating", "archived_until_condition_met",
    ]

    /// Reads the members that we know; an update that asks for nothing we know changes nothing.
    init(_ body: JSON?) throws {
        guard let body, body.object != nil else { throw APIError.badRequest("The body must be an object") }
        merges = body["merge"]?.bool ?? (body["merge"]?.int == 1)
        guard let value = body["status"], value != .null else {
            (status, substatus) = (nil, nil)
            return
        }
        // Resolving in a release resolves: nothing here waits for one.
        let name = value.string == "resolvedInNextRelease" ? "resolved" : value.string
        guard let name, let status = IssueStatus(name: name) else {
            throw APIError.badRequest("Invalid status: \(value.text.prefix(40))")
        }
        self.status = status
        switch status {
        case .resolved: substatus = nil
        case .ignored:
            let wanted = body["substatus"]?.string ?? "archived_forever"
            guard Self.archived.contains(wanted) else { throw APIError.badRequest("Invalid substatus") }
            substatus = wanted
        case .unresolved: substatus = "ongoing"
        }
    }

    func apply(to ids: [Int], projectID: Int, _ request: APIRequest) async throws {
        guard let status else { return }
        _ = try await request.services.issues.update(
            projectID: projectID,
            ids: ids,
            status: status,
            substatus: substatus,
            actor: request.actor
        )
    }

    /// Merges the issues of one project, when the body asks for it; what to echo of that.
    func merge(_ issues: [(projectID: Int, id: Int)], _ request: APIRequest) async throws -> JSON? {
        guard merges else { return nil }
        guard let projectID = issues.first?.projectID, issues.allSatisfy({ $0.projectID == projectID }) else {
            throw APIError.badRequest("Only issues of one project can be merged")
        }
        guard (2...IssueMerging.maxIssues).contains(Set(issues.map(\.id)).count) else {
            throw APIError.badRequest("Merge 2 to \(IssueMerging.maxIssues) issues")
        }
        do {
            let result = try await request.services.merging.merge(
                projectID: projectID,
                ids: issues.map(\.id),
                actor: request.actor
            )
            return [
                "parent": .string(String(result.target)),
                "children": .array(result.merged.map { .string(String($0)) }),
            ]
        } catch is IssueMerging.Failure {
            throw APIError.badRequest("Fewer than two of these issues are left to merge")
        }
    }

    /// What was changed, as the answer echoes it.
    var json: JSON {
        guard let status else { return [:] }
        return ["status": .string(status.name), "statusDetails": [:], "substatus": .optional(substatus)]
    }
}
