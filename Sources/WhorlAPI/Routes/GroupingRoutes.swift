import Foundation
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// The routes for grouping: explanations, previews of rules, regrouping jobs, hashes and similar issues.
enum GroupingRoutes {
    /// Maximum number of changes that the response to a preview lists; further ones are only counted.
    private static let maxChanges = 100

    static let endpoints =
        [
            Endpoint(
                .get,
                "/projects/{organization}/{project}/events/{event}/grouping-info/",
                scope: "event:read",
                "Explains the grouping of an event: all variants, with the parts that count and those that do not.",
                answer: .one("GroupingInfo"),
                info
            ),
            Endpoint(
                .post,
                "/projects/{organization}/{project}/grouping/preview/",
                scope: "project:read",
                "Tries rules on stored events without saving them: shows what would merge and split.",
                answer: .one("GroupingPreview"),
                preview
            ),
            Endpoint(
                .get,
                "/projects/{organization}/{project}/grouping/regroup/",
                scope: "project:read",
                "The regrouping jobs of a project, the newest first.",
                answer: .list("RegroupJob")
            ) { request in
                .whole(try await request.services.regroup.list(projectID: request.project().id).map(shape), request)
            },
            Endpoint(
                .post,
                "/projects/{organization}/{project}/grouping/regroup/",
                scope: "project:write",
                "Regroups the stored events of the last days, in the background.",
                answer: .one("RegroupJob"),
                regroup
            ),
            Endpoint(
                .put,
                "/projects/{organization}/{project}/grouping/regroup/{job}/",
                scope: "project:write",
                "Cancels a regrouping job, or moves the events back.",
                answer: .one("RegroupJob"),
                changeJob
            ),
        ]
        + IssueRoutes.paths.flatMap { path in
            [
                Endpoint(
                    .get,
                    path + "hashes/",
                    scope: "event:read",
                    "The hashes of an issue, those with the most events first.",
                    answer: .list("IssueHash")
                ) { request in
                    let issue = try await request.issue()
                    let hashes = try await request.services.merging.hashes(
                        projectID: issue.projectID,
                        issueID: issue.id
                    )
                    return .whole(hashes.map { shape($0, issue) }, request)
                },
                Endpoint(
                    .delete,
                    path + "hashes/",
                    scope: "event:write",
                    "Unmerges hashes from an issue: into their original issue, otherwise into a new one.",
                    query: ["id"],
                    answer: .one("IssueChange"),
                    unmerge
                ),
                Endpoint(
                    .get,
                    path + "similar/",
                    scope: "event:read",
                    "Issues whose newest events share frames with this issue, with a score from 0 to 1.",
                    query: ["limit"],
                    answer: .list("SimilarIssue"),
                    similar
                ),
            ]
        }

    private static func info(_ request: APIRequest) async throws -> APIResponse {
        let project = try await request.project()
        guard let id = EventID(try request.parameter("event")),
            let stored = try await request.services.events.event(id, projectID: project.id)
        else { throw APIError.notFound }
        let settings = try await settings(of: project, request)
        let event = try await request.services.read(stored)
        var members: [(key: String, value: JSON)] = [
            ("issue", .string(String(stored.issueID))), ("hash", .string(hexString(stored.hash))),
            ("hasNoPayload", .bool(stored.hasNoPayload)),
        ]
        // An event without payload cannot be explained.
        members +=
            stored.hasNoPayload
            ? [("rule", nil), ("variants", [:])]
            : await request.services.worker.run { GroupingExplanation(event, settings).json.object ?? [] }
        return .json(.object(members))
    }

    private static func settings(of project: Project, _ request: APIRequest) async throws -> GroupingSettings {
        try await request.services.administration.settings(projectID: project.id).grouping
            .settings(request.services.rules)
    }

    // MARK: - Previews

    private static func preview(_ request: APIRequest) async throws -> APIResponse {
        let project = try await request.project()
        let body = request.body ?? [:]
        var grouping = try await request.services.administration.settings(projectID: project.id).grouping
        try ProjectOptions.applyGrouping(body, to: &grouping, now: Date())
        // The preview uses only the new algorithm, not the transition to it.
        grouping.previous = nil
        let days = body["days"]?.int ?? 7
        let limit = body["limit"]?.int ?? GroupingTrial.maxEvents
        guard (1...90).contains(days), (1...GroupingTrial.maxEvents).contains(limit) else {
            throw APIError.badRequest("days must be 1 to 90, and limit 1 to \(GroupingTrial.maxEvents)")
        }
        let result: GroupingTrial.Result
        do {
            result = try await request.services.trial.preview(
                projectID: project.id,
                since: Date().addingTimeInterval(-Double(days) * 86_400),
                limit: limit,
                settings: grouping.settings(request.services.rules)
            )
        } catch GroupingTrial.Failure.busy {
            throw APIError(
                status: .tooManyRequests,
                detail: "Another preview is running; at most one per project and two in total can run at once",
                headers: [.retryAfter: "20"]
            )
        } catch GroupingTrial.Failure.tooCostly(let rule) {
            throw APIError(
                status: .unprocessableContent,
                detail: "The rules take too long for one event; the limit was reached at: \(rule.prefix(200))"
            )
        }
        return .json([
            "events": .int(result.events), "issuesNow": .int(result.issuesNow), "issuesThen": .int(result.issuesThen),
            "isComplete": .bool(result.isComplete), "mergeCount": .int(result.merges.count),
            "splitCount": .int(result.splits.count),
            "merges": .array(result.merges.prefix(maxChanges).map(shape)),
            "splits": .array(result.splits.prefix(maxChanges).map(shape)),
        ])
    }

    private static func shape(_ change: GroupingTrial.Change) -> JSON {
        [
            "title": .string(change.title), "issue": .optional(change.issueID.map(String.init)),
            "events": .int(change.events),
            "parts": .array(
                change.parts.prefix(maxChanges)
                    .map { part in
                        [
                            "issue": .optional(part.issueID.map(String.init)), "title": .string(part.title),
                            "events": .int(part.events),
                        ]
                    }
            ),
        ]
    }

    // MARK: - Jobs

    private static func regroup(_ request: APIRequest) async throws -> APIResponse {
        let project = try await request.project()
        let days = request.body?["days"]?.int ?? 90
        guard (1...3_650).contains(days) else { throw APIError.badRequest("days must be 1 to 3650") }
        let since = Date().addingTimeInterval(-Double(days) * 86_400)
        guard
            let job = try await request.services.regroup.begin(
                projectID: project.id,
                since: since,
                actor: request.actor
            )
        else { throw APIError(status: .conflict, detail: "A job of this project is already running") }
        return .json(shape(job))
    }

    private static func changeJob(_ request: APIRequest) async throws -> APIResponse {
        let project = try await request.project()
        let wish: RegroupJobs.Wish
        switch request.body?["state"]?.string {
        case "cancelled": wish = .cancel
        case "reverted": wish = .revert
        default: throw APIError.badRequest("state must be cancelled or reverted")
        }
        guard let id = Int(try request.parameter("job")) else { throw APIError.notFound }
        guard let job = try await request.services.regroup.ask(wish, projectID: project.id, id: id) else {
            guard try await request.services.regroup.list(projectID: project.id).contains(where: { $0.id == id }) else {
                throw APIError.notFound
            }
            throw APIError(status: .conflict, detail: "The state of the job does not allow this change")
        }
        return .json(shape(job))
    }

    private static func shape(_ job: RegroupJobs.Job) -> JSON {
        [
            "id": .string(String(job.id)), "state": .string(job.state), "since": .string(Timestamp.format(job.since)),
            "total": .int(job.total), "processed": .int(job.processed), "moved": .int(job.moved),
            "user": .optional(job.actor), "error": .optional(job.error),
            "dateCreated": .string(Timestamp.format(job.createdAt)),
            "dateFinished": .optional(job.finishedAt.map { Timestamp.format($0) }),
        ]
    }

    // MARK: - Hashes

    private static func shape(_ hash: IssueMerging.Hash, _ issue: Issue) -> JSON {
        [
            "id": .string(hexString(hash.hash)), "count": .int(hash.events),
            "mergedFrom": .optional(hash.homeIssueID == issue.id ? nil : String(hash.homeIssueID)),
            "firstSeen": .optional(hash.firstSeen.map { Timestamp.format($0) }),
            "lastSeen": .optional(hash.lastSeen.map { Timestamp.format($0) }),
        ]
    }

    private static func unmerge(_ request: APIRequest) async throws -> APIResponse {
        let issue = try await request.issue()
        let names = request.all("id").flatMap { $0.split(separator: ",").map(String.init) }
        guard (1...1_000).contains(names.count) else { throw APIError.badRequest("id must name 1 to 1000 hashes") }
        let hashes = try names.map { name in
            guard let id = EventID(name), name.utf8.count == 32 else {
                throw APIError.badRequest("\(name.prefix(40)) is not a hash")
            }
            return id.bytes
        }
        do {
            let issues = try await request.services.merging.unmerge(
                projectID: issue.projectID,
                issueID: issue.id,
                hashes: hashes,
                actor: request.actor
            )
            return .json(["issues": .array(issues.map { .string(String($0)) })])
        } catch IssueMerging.Failure.unknownHashes {
            throw APIError.badRequest("The issue has none of these hashes")
        } catch IssueMerging.Failure.nothingLeft {
            throw APIError.badRequest("The issue would be left without events")
        }
    }

    private static func similar(_ request: APIRequest) async throws -> APIResponse {
        let issue = try await request.issue()
        guard
            let newest = try await request.services.events.end(
                ofIssue: issue.id,
                projectID: issue.projectID,
                newest: true
            )
        else { return .whole([], request) }
        let found = try await request.services.trial.similar(
            to: request.services.read(newest),
            issueID: issue.id,
            projectID: issue.projectID,
            settings: request.services.administration.settings(projectID: issue.projectID).grouping
                .settings(request.services.rules),
            limit: min(request.limit(), 20)
        )
        var shapes: [JSON] = []
        for (id, score) in found {
            guard
                let other = try await request.services.issues.issue(
                    id: id,
                    organizationID: request.grant.organizationID
                )
            else { continue }
            shapes.append([
                "issue": IssueShape.json(other, publicURL: request.services.publicURL(), stats: nil),
                "score": .double(score),
            ])
        }
        return .whole(shapes, request)
    }
}
