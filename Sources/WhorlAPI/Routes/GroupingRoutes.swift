import Foundation
import WhorlProcessing
import WhorlProtocol
import WhorlStore

/// Why events are together, and what could be otherwise.
enum GroupingRoutes {
    /// Changes that an answer of a trial lists; more are only counted.
    private static let maxChanges = 100

    static let endpoints =
        [
            Endpoint(
                .get,
                "/projects/{organization}/{project}/events/{event}/grouping-info/",
                scope: "event:read",
                "Why an event is grouped as it is: every variant with what counted and what did not.",
                answer: .one("GroupingInfo"),
                info
            ),
            Endpoint(
                .post,
                "/projects/{organization}/{project}/grouping/preview/",
                scope: "project:read",
                "Tries rules on stored events without keeping them: what would merge, what would split.",
                answer: .one("GroupingPreview"),
                preview
            ),
            Endpoint(
                .get,
                "/projects/{organization}/{project}/grouping/regroup/",
                scope: "project:read",
                "The jobs that grouped stored events anew, the newest first.",
                answer: .list("RegroupJob")
            ) { request in
                .whole(try await request.services.regroup.list(projectID: request.project().id).map(shape), request)
            },
            Endpoint(
                .post,
                "/projects/{organization}/{project}/grouping/regroup/",
                scope: "project:write",
                "Groups the stored events of some days anew, in the background.",
                answer: .one("RegroupJob"),
                regroup
            ),
            Endpoint(
                .put,
                "/projects/{organization}/{project}/grouping/regroup/{job}/",
                scope: "project:write",
                "Stops a job, or moves back what it moved.",
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
                    "Parts hashes from an issue: back to where they were merged from, else into a new issue.",
                    query: ["id"],
                    answer: .one("IssueChange"),
                    part
                ),
                Endpoint(
                    .get,
                    path + "similar/",
                    scope: "event:read",
                    "Issues whose newest events share frames with this one's, with a score from 0 to 1.",
                    query: ["limit"],
                    answer: .list("SimilarIssue"),
                    similar
                ),
            ]
        }

    private static func info(_ request: APIRequest) async throws -> APIAnswer {
        let project = try await request.project()
        guard let id = EventID(try request.parameter("event")),
            let stored = try await request.services.events.event(id, projectID: project.id)
        else { throw APIError.notFound }
        let settings = try await settings(of: project, request)
        let event = try await request.services.read(stored)
        var members: [(key: String, value: JSON)] = [
            ("issue", .string(String(stored.issueID))), ("hash", .string(hexString(stored.hash))),
            ("isThin", .bool(stored.isThin)),
        ]
        // A thin row has no payload to explain.
        members +=
            stored.isThin
            ? [("rule", nil), ("variants", [:])]
            : await request.services.worker.run { GroupingExplanation(event, settings).json.object ?? [] }
        return .json(.object(members))
    }

    private static func settings(of project: Project, _ request: APIRequest) async throws -> GroupingSettings {
        try await request.services.administration.settings(projectID: project.id).grouping
            .settings(request.services.rules)
    }

    // MARK: - Trials

    private static func preview(_ request: APIRequest) async throws -> APIAnswer {
        let project = try await request.project()
        let body = request.body ?? [:]
        var grouping = try await request.services.administration.settings(projectID: project.id).grouping
        try ProjectOptions.applyGrouping(body, to: &grouping, now: Date())
        // What is tried is the new algorithm, not the transition to it.
        grouping.previous = nil
        let days = body["days"]?.int ?? 7
        let limit = body["limit"]?.int ?? GroupingTrial.maxEvents
        guard (1...90).contains(days), (1...GroupingTrial.maxEvents).contains(limit) else {
            throw APIError.badRequest("days is 1 to 90, limit 1 to \(GroupingTrial.maxEvents)")
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
                detail: "Another preview is being made; there is one at a time for a project and two in all",
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

    private static func regroup(_ request: APIRequest) async throws -> APIAnswer {
        let project = try await request.project()
        let days = request.body?["days"]?.int ?? 90
        guard (1...3_650).contains(days) else { throw APIError.badRequest("days is 1 to 3650") }
        let since = Date().addingTimeInterval(-Double(days) * 86_400)
        guard
            let job = try await request.services.regroup.begin(
                projectID: project.id,
                since: since,
                actor: request.actor
            )
        else { throw APIError(status: .conflict, detail: "A job of this project is at work") }
        return .json(shape(job))
    }

    private static func changeJob(_ request: APIRequest) async throws -> APIAnswer {
        let project = try await request.project()
        let wish: RegroupJobs.Wish
        switch request.body?["state"]?.string {
        case "cancelled": wish = .cancel
        case "reverted": wish = .revert
        default: throw APIError.badRequest("state is cancelled or reverted")
        }
        guard let id = Int(try request.parameter("job")) else { throw APIError.notFound }
        guard let job = try await request.services.regroup.ask(wish, projectID: project.id, id: id) else {
            guard try await request.services.regroup.list(projectID: project.id).contains(where: { $0.id == id }) else {
                throw APIError.notFound
            }
            throw APIError(status: .conflict, detail: "The job is not in a state that allows it")
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

    private static func part(_ request: APIRequest) async throws -> APIAnswer {
        let issue = try await request.issue()
        let names = request.all("id").flatMap { $0.split(separator: ",").map(String.init) }
        guard (1...1_000).contains(names.count) else { throw APIError.badRequest("id: the hashes to part, 1 to 1000") }
        let hashes = try names.map { name in
            guard let id = EventID(name), name.utf8.count == 32 else {
                throw APIError.badRequest("\(name.prefix(40)) is no hash")
            }
            return id.bytes
        }
        do {
            let issues = try await request.services.merging.part(
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

    private static func similar(_ request: APIRequest) async throws -> APIAnswer {
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
