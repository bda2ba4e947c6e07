import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlThreads

/// Applies grouping settings to stored events as a trial, without changing any event.
package struct GroupingTrial: Sendable {
    /// The maximum number of events of one trial.
    package static let maxEvents = 10_000
    private static let page = 200
    /// The time limit of a trial; the result covers the events that were read until then.
    private static let maxWait = Duration.seconds(20)
    /// The maximum number of issues that are compared when similar ones are searched.
    private static let candidates = 200
    /// The time limit of such a search; less recently seen issues are left out when it is exceeded.
    private static let similarTimeLimit = Duration.seconds(5)

    private let pool: PostgresPool
    private let codec: PayloadCodec
    private let thread: WorkThread
    private let gate = TrialGate()

    /// Makes trials that process events on the given thread, one event at a time.
    package init(pool: PostgresPool, codec: PayloadCodec, thread: WorkThread) {
        self.pool = pool
        self.codec = codec
        self.thread = thread
    }

    /// The reason why a trial was not completed.
    package enum Failure: Error, Sendable {
        /// Other trials are running: the limit is one per project and two in total.
        case busy
        /// A rule takes too long for an event; `rule` is its text.
        case tooCostly(rule: String)
    }

    /// The events of one issue, or of one group of the trial.
    package struct Part: Sendable, Equatable {
        /// Nil for a group of the trial.
        package let issueID: Int?
        package let title: String
        package let events: Int
    }

    /// Issues that would be merged, or groups that one issue would be split into.
    package struct Change: Sendable, Equatable {
        package let title: String
        package let issueID: Int?
        package let parts: [Part]
        package var events: Int { parts.reduce(0) { $0 + $1.events } }
    }

    /// The result of a trial.
    package struct Result: Sendable {
        package var events = 0
        package var issuesNow = 0
        package var issuesThen = 0
        /// Issues that would be merged into one.
        package var merges: [Change] = []
        /// Issues that would be split into several.
        package var splits: [Change] = []
        /// Whether all events of the period were processed.
        package var isComplete = true
    }

    private struct Seen: Sendable {
        let issueID: Int
        let title: String
        let hashes: [[UInt8]]
    }

    /// Groups the events of a project that occurred at or after `since` with the given settings; throws ``Failure``.
    package func preview(projectID: Int, since: Date, limit: Int, settings: GroupingSettings) async throws -> Result {
        guard gate.enter(projectID) else { throw Failure.busy }
        defer { gate.leave(projectID) }
        var seen: [Seen] = []
        // The time and id of the last event of the previous page.
        var before = (
            Date(timeIntervalSince1970: 2e11),
            UUID(uuid: (255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255))
        )
        var result = Result()
        let deadline = ContinuousClock.now + Self.maxWait
        pages: while true {
            let rows = try await pool.execute(
                TrialStatements.page,
                [
                    projectID.postgresValue, since.postgresValue,
                    before.0.postgresValue, Self.page.postgresValue, before.1.postgresValue,
                ],
                timeout: .seconds(10)
            )
            try await codec.loadMissingDictionaries(rows.map { try $0.read("payload_codec") })
            for row in rows {
                guard seen.count < limit, ContinuousClock.now < deadline else {
                    result.isComplete = false
                    break pages
                }
                before = (try row.read("occurred_at"), try row.read("event_id"))
                guard let event = try await event(row, projectID) else { continue }
                let grouping = await thread.run { Grouping(event, settings) }
                if let rule = grouping.costlyRule { throw Failure.tooCostly(rule: rule) }
                seen.append(
                    Seen(
                        issueID: try row.read("issue_id"),
                        title: try grouping.title ?? row.read("title"),
                        hashes: grouping.hashes.map(\.hash)
                    )
                )
            }
            // The payload limit may have ended the page early.
            guard let found = try rows.first?.read("found", as: Int.self) else { break }
            if found < Self.page, found == rows.count { break }
        }
        let events = seen
        let counted = result
        return await thread.run {
            var result = counted
            Self.compare(events, &result)
            return result
        }
    }

    /// The event of a row with demangled names; nil when its payload cannot be parsed.
    private func event(_ row: PostgresRow, _ projectID: Int) async throws -> Event? {
        let payload: [UInt8] = try row.read("payload")
        let number: Int16 = try row.read("payload_codec")
        let codec = self.codec
        let parsed = try await thread.run {
            let bytes = try codec.decompress(payload, codec: number)
            return try? EventPipeline.parse(bytes[...])
        }
        guard var event = parsed else { return nil }
        event.names = await NameDemangler.shared.names(of: event, projectID: projectID)
        return event
    }

    /// Groups the events as if they arrived with the trial's settings, oldest first.
    private static func compare(_ seen: [Seen], _ result: inout Result) {
        var groups: [[UInt8]: Int] = [:]
        var titles: [String] = []
        var issueTitles: [Int: String] = [:]
        var issuesOfGroup: [Int: [Int: Int]] = [:]
        var groupsOfIssue: [Int: [Int: Int]] = [:]
        for event in seen.reversed() {
            let known = event.hashes.lazy.compactMap { groups[$0] }.first
            let group = known ?? titles.count
            if known == nil { titles.append(event.title) }
            for hash in event.hashes where groups[hash] == nil { groups[hash] = group }
            issueTitles[event.issueID] = event.title
            issuesOfGroup[group, default: [:]][event.issueID, default: 0] += 1
            groupsOfIssue[event.issueID, default: [:]][group, default: 0] += 1
        }
        result.events = seen.count
        result.issuesNow = groupsOfIssue.count
        result.issuesThen = titles.count
        result.merges = issuesOfGroup.filter { $0.value.count > 1 }
            .map { group, issues in
                Change(
                    title: titles[group],
                    issueID: nil,
                    parts: issues.map { Part(issueID: $0, title: issueTitles[$0] ?? "", events: $1) }
                        .sorted { ($1.events, $0.issueID ?? 0) < ($0.events, $1.issueID ?? 0) }
                )
            }
            .sorted { ($1.events, $0.title) < ($0.events, $1.title) }
        result.splits = groupsOfIssue.filter { $0.value.count > 1 }
            .map { issue, groups in
                Change(
                    title: issueTitles[issue] ?? "",
                    issueID: issue,
                    parts: groups.map { Part(issueID: nil, title: titles[$0], events: $1) }
                        .sorted { ($1.events, $0.title) < ($0.events, $1.title) }
                )
            }
            .sorted { ($1.events, $0.title) < ($0.events, $1.title) }
    }

    /// The issues of a project whose newest events share frames with an event, most similar first.
    ///
    /// The score is the ratio of common frames to all frames of both events, from 0 to 1.
    package func similar(
        to event: Event,
        issueID: Int,
        projectID: Int,
        settings: GroupingSettings,
        limit: Int
    ) async throws -> [(issueID: Int, score: Double)] {
        let deadline = ContinuousClock.now + Self.similarTimeLimit
        let own = await thread.run { FrameSignature.frames(of: event, settings) }
        guard !own.isEmpty else { return [] }
        var scores: [(issueID: Int, score: Double)] = []
        var left = Self.candidates
        var before = (Date(timeIntervalSince1970: 2e11), Int.max)
        pages: while left > 0 {
            let rows = try await pool.execute(
                TrialStatements.newest,
                [
                    projectID.postgresValue, issueID.postgresValue, left.postgresValue, before.0.postgresValue,
                    before.1.postgresValue,
                ],
                timeout: .seconds(10)
            )
            try await codec.loadMissingDictionaries(rows.map { try $0.read("payload_codec") })
            for row in rows {
                guard ContinuousClock.now < deadline else { break pages }
                before = (try row.read("last_seen_bucket"), try row.read("issue_id"))
                guard let other = try await self.event(row, projectID) else { continue }
                let score = await thread.run { () -> Double in
                    let frames = FrameSignature.frames(of: other, settings)
                    return Double(own.intersection(frames).count) / Double(own.union(frames).count)
                }
                if score > 0 { scores.append((try row.read("issue_id"), score)) }
            }
            // The payload limit may have ended the page early.
            guard let found = try rows.first?.read("found", as: Int.self), found > rows.count else { break }
            left -= rows.count
        }
        return Array(scores.sorted { ($1.score, $0.issueID) < ($0.score, $1.issueID) }.prefix(limit))
    }
}

enum TrialStatements {
    static let all = [page, newest]

    static let page = PostgresStatement(
        "grouping_trial",
        PayloadBound.bounded(
            """
            SELECT e.occurred_at, e.event_id, e.title, e.payload_codec, e.payload, h.issue_id
            FROM event e
            JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
            WHERE e.project_id = $1 AND e.occurred_at >= $2 AND e.occurred_at <= $3
                AND (e.occurred_at, e.event_id) < ($3, $5) AND e.payload_codec >= 0
            ORDER BY e.occurred_at DESC, e.event_id DESC
            LIMIT $4
            """,
            order: "occurred_at DESC, event_id DESC"
        ),
        [.int8, .timestamptz, .timestamptz, .int8, .uuid]
    )

    /// Selects the newest event of each of the most recently seen issues.
    static let newest = PostgresStatement(
        "grouping_trial",
        PayloadBound.bounded(
            """
            SELECT i.id AS issue_id, i.last_seen_bucket, e.payload_codec, e.payload
            FROM (
                SELECT project_id, id, last_seen_bucket FROM issue
                WHERE project_id = $1 AND id <> $2 AND merged_into IS NULL AND last_seen_bucket <= $4
                    AND (last_seen_bucket, id) < ($4, $5)
                ORDER BY last_seen_bucket DESC, id DESC
                LIMIT $3
            ) AS i, LATERAL (
                SELECT s.payload_codec, s.payload
                FROM grouping_hash h
                JOIN event s ON s.project_id = h.project_id AND s.hash_id = h.id AND s.payload_codec >= 0
                WHERE h.project_id = i.project_id AND h.issue_id = i.id
                ORDER BY s.occurred_at DESC
                LIMIT 1
            ) AS e
            """,
            order: "last_seen_bucket DESC, issue_id DESC"
        ),
        [.int8, .int8, .int8, .timestamptz, .int8]
    )
}
