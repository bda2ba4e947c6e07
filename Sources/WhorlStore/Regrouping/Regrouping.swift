import Foundation
import Logging
import ServiceLifecycle
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlServices
import WhorlThreads

/// Runs the jobs that regroup stored events, one page at a time.
///
/// Each page is a transaction that also stores the job's position, so a job continues where it stopped after any
/// interruption. An event moves to the hash that it would get today, and its part of the old hash's counts moves with
/// it. Moves are recorded and can be reverted. Events without payload are not moved.
package struct Regrouping: Service {
    private static let page = 100
    private static let interval = Duration.seconds(2)
    private static let timeout = Duration.seconds(20)

    private let pool: PostgresPool
    private let codec: PayloadCodec
    private let rules: GroupingRules
    private let thread = WorkThread(name: "regroup")
    private let logger: Logger

    /// `rules` are those of the installation.
    package init(pool: PostgresPool, codec: PayloadCodec, rules: GroupingRules, logger: Logger) {
        self.pool = pool
        self.codec = codec
        self.rules = rules
        self.logger = logger
    }

    package func run() async throws {
        await PeriodicService(every: Self.interval) {
            do {
                while !Task.isCancelled, try await step() {}
            } catch {
                // The database is unavailable or a row is locked; the same page is retried.
                logger.debug("events not regrouped", metadata: ["db.error": "\(error)"])
            }
        }
        .run()
    }

    private struct Place {
        let projectID: Int
        let id: Int
        let state: String
        let batch: Int
    }

    /// Processes one page of one job; returns false when no job is active.
    func step() async throws -> Bool {
        guard let waiting = try await pool.execute(RegroupStatements.waiting).first else { return false }
        let projectID: Int = try waiting.read("project_id")
        let id: Int = try waiting.read("id")
        var settings = try await Administration(pool: pool).settings(projectID: projectID).grouping.settings(rules)
        // Uses the algorithm that applies after a transition.
        settings.previous = nil
        // Otherwise, uncounted tags would be counted under the old hash of their event.
        try await TagBacklog.countBacklog(pool)
        do {
            return try await work(projectID, id, settings)
        } catch let error as PostgresError where !error.meansServerUnavailable && !error.isTransient {
            logger.warning("page of events not regrouped", metadata: ["db.error": "\(error)"])
            _ = try await pool.execute(
                RegroupStatements.fail,
                [projectID.postgresValue, id.postgresValue, error.description.postgresValue]
            )
            return false
        }
    }

    private func work(_ projectID: Int, _ id: Int, _ settings: GroupingSettings) async throws -> Bool {
        try await pool.transaction("regroup", timeout: Self.timeout) { connection, deadline in
            let rows = try await connection.execute(
                RegroupStatements.take,
                [projectID.postgresValue, id.postgresValue],
                deadline: deadline
            )
            guard let row = rows.first else { return false }
            let place = Place(
                projectID: projectID,
                id: try row.read("id"),
                state: try row.read("state"),
                batch: try row.read("batch")
            )
            let page = RegroupPage(connection: connection, deadline: deadline, projectID: projectID, jobID: place.id)
            if place.state == "reverting" {
                try await page.revert(place.batch)
            } else {
                let events = try await read(page, row, settings)
                try await page.forward(place.batch + 1, events)
            }
            return true
        }
    }

    /// The events of the next page, with the hash that each would get.
    private func read(
        _ page: RegroupPage,
        _ job: PostgresRow,
        _ settings: GroupingSettings
    ) async throws -> [RegroupPage.Candidate] {
        let rows = try await page.execute(
            RegroupStatements.read,
            [
                Self.page.postgresValue, try job.read("position", as: Date.self).postgresValue,
                try job.read("position_id", as: UUID.self).postgresValue,
                try job.read("until", as: Date.self).postgresValue,
            ]
        )
        try await codec.loadMissingDictionaries(rows.map { try $0.read("payload_codec") })
        var candidates: [RegroupPage.Candidate] = []
        for row in rows {
            let number: Int16 = try row.read("payload_codec")
            let payload: [UInt8] = try row.read("payload")
            let id = EventID(uuid: try row.read("event_id"))
            let context = EventContext(
                projectID: page.projectID,
                eventID: id,
                receivedAt: try row.read("received_at"),
                sentAt: try row.readOptional("sent_at"),
                clientAddress: try row.readOptional("client_address")
            )
            candidates.append(
                RegroupPage.Candidate(
                    eventID: id,
                    day: try row.read("received_day"),
                    occurredAt: try row.read("occurred_at"),
                    hashID: try row.read("hash_id"),
                    hash: try row.read("hash"),
                    releaseID: try row.readOptional("release_id"),
                    event: await regrouped(payload, number, context, settings)
                )
            )
        }
        return candidates
    }

    /// The event of a stored payload with its new grouping; nil when the payload cannot be parsed.
    private func regrouped(
        _ payload: [UInt8],
        _ number: Int16,
        _ context: EventContext,
        _ settings: GroupingSettings
    ) async -> PreparedEvent? {
        let read = await thread.run { () -> (bytes: [UInt8], event: Event)? in
            guard let bytes = try? codec.decompress(payload, codec: number),
                let event = try? EventPipeline.parse(bytes[...])
            else { return nil }
            return (bytes, event)
        }
        guard let (bytes, event) = read else { return nil }
        let names = await NameDemangler.shared.names(of: event, projectID: context.projectID)
        return await thread.run {
            let processed = EventPipeline.reprocess(
                event,
                context,
                settings,
                payload: bytes[...],
                storedNotes: [],
                names: names
            )
            return PreparedEvent(processed, codec: number, payload: payload)
        }
    }
}
