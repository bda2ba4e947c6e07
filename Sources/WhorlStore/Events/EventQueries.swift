import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol

/// An event as stored in the `event` table.
package struct StoredEvent: Sendable {
    package let projectID: Int
    package let eventID: EventID
    package let receivedAt: Date
    package let occurredAt: Date
    package let sentAt: Date?
    package let issueID: Int
    package let hash: [UInt8]
    package let title: String
    package let environment: String
    package let release: String?
    package let level: Level
    package let tags: [Event.Tag]
    package let clientAddress: String?
    /// The payload as it is stored, possibly compressed.
    private let compressed: [UInt8]
    private let codec: Int16
    private let payloads: PayloadCodec
    /// The first half of the event id, which orders events with the same timestamp in a list.
    package let tie: Int
    /// Whether the event is stored without its payload because of a flood.
    package let hasNoPayload: Bool
    /// The changes that were made to the event before its payload was stored.
    package let notes: [EventNote]

    init(_ row: PostgresRow, _ payloads: PayloadCodec) throws {
        projectID = try row.read("project_id")
        eventID = EventID(uuid: try row.read("event_id"))
        receivedAt = try row.read("received_at")
        occurredAt = try row.read("occurred_at")
        sentAt = try row.readOptional("sent_at")
        issueID = try row.read("issue_id")
        hash = try row.read("hash")
        title = try row.read("title")
        environment = try row.read("environment")
        release = try row.readOptional("release")
        level = Level(number: try row.read("level")) ?? .error
        tags = try row.readArray("tags", of: String.self)
            .map { tag in
                let parts = tag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return Event.Tag(key: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : "")
            }
        clientAddress = try row.readOptional("client_address")
        codec = try row.read("payload_codec")
        hasNoPayload = codec == PayloadCodec.none
        compressed = hasNoPayload ? [] : try row.read("payload")
        self.payloads = payloads
        tie = withUnsafeBytes(of: eventID.uuid.uuid) { $0.prefix(4).reduce(0) { $0 << 8 | Int($1) } }
        notes = EventNotes.parse(try row.readOptional("notes"))
    }

    /// The event's payload; an empty object when the event is stored without payload.
    ///
    /// Decompresses, so call it away from the thread pool.
    package func payload() throws -> [UInt8] {
        hasNoPayload ? Array("{}".utf8) : try payloads.decompress(compressed, codec: codec)
    }

    /// The event parsed from the stored payload, before its names are demangled.
    package func parsed() throws -> Event { try EventPipeline.parse(payload()[...]) }

    /// Normalises the parsed event as ingestion does.
    package func normalised(_ event: Event) -> NormalisedEvent {
        let context = EventContext(
            projectID: projectID,
            eventID: eventID,
            receivedAt: receivedAt,
            sentAt: sentAt,
            clientAddress: clientAddress
        )
        return NormalisedEvent(event, context)
    }
}

/// Queries for events: lists and single events.
package struct EventQueries: Sendable {
    private let pool: PostgresPool
    private let codec: PayloadCodec

    package init(pool: PostgresPool, codec: PayloadCodec) {
        self.pool = pool
        self.codec = codec
    }

    /// Decodes rows; loads the dictionaries that their payloads need first.
    private func events(_ rows: PostgresRows) async throws -> [StoredEvent] {
        try await codec.loadMissingDictionaries(rows.map { try $0.read("payload_codec") })
        return try rows.map { try StoredEvent($0, codec) }
    }

    /// Whether the event is stored; also false when the query fails.
    package func exists(_ id: EventID, projectID: Int) async -> Bool {
        let rows = try? await pool.execute(EventStatements.exists, [projectID.postgresValue, id.uuid.postgresValue])
        return rows?.first != nil
    }

    /// The project or issue whose events are listed.
    package enum Source: Sendable {
        case project(Int)
        case issue(projectID: Int, id: Int)
    }

    /// The events of one page, in the order of the list.
    package struct Found: Sendable {
        package let events: [StoredEvent]
        /// Whether more events follow although the page has fewer than requested, because the payloads are large.
        package let isCut: Bool
    }

    /// At most `limit` events of a list, newest first; oldest first with a cursor for the previous page.
    ///
    /// Returns fewer events when their payloads together are large.
    package func list(
        _ source: Source,
        environments: [String] = [],
        cursor: Cursor?,
        limit: Int
    ) async throws -> Found {
        let backwards = cursor?.isPrevious ?? false
        var conditions: SQLFragment
        switch source {
        case .project(let id): conditions = "e.project_id = \(id)"
        case .issue(let projectID, let id): conditions = "e.project_id = \(projectID) AND h.issue_id = \(id)"
        }
        if !environments.isEmpty { conditions += " AND v.name = ANY (\(.array(of: environments)))" }
        if let cursor {
            let moment = Date(timeIntervalSince1970: Double(cursor.value) / 1e6)
            let place: SQLFragment = "(e.occurred_at, \(EventStatements.tie)) "
            conditions +=
                backwards
                ? " AND e.occurred_at >= \(moment) AND \(place) > (\(moment), \(cursor.id))"
                : " AND e.occurred_at <= \(moment) AND \(place) < (\(moment), \(cursor.id))"
        }
        let order: SQLFragment = backwards ? "occurred_at ASC, tie ASC" : "occurred_at DESC, tie DESC"
        let bounded = PayloadBound.bounded(
            """
            SELECT \(EventStatements.columns)
            \(EventStatements.tables)
            WHERE \(conditions)
            ORDER BY \(order)
            LIMIT \(limit)
            """,
            order: order
        )
        let rows = try await pool.execute(bounded, operation: "event_list", timeout: .seconds(10))
        let found = try rows.first?.read("found", as: Int.self) ?? 0
        return Found(events: try await events(rows), isCut: found > rows.count)
    }

    /// The position of an event in a list: its time in microseconds and the tie-breaker from its id.
    package static func place(of event: StoredEvent) -> (value: Int, id: Int) {
        (Int(exactly: (event.occurredAt.timeIntervalSince1970 * 1e6).rounded()) ?? 0, event.tie)
    }

    /// One event of a project.
    package func event(_ id: EventID, projectID: Int) async throws -> StoredEvent? {
        try await events(pool.execute(EventStatements.byID, [projectID.postgresValue, id.uuid.postgresValue])).first
    }

    /// The newest or the oldest event of an issue.
    package func end(ofIssue id: Int, projectID: Int, newest: Bool) async throws -> StoredEvent? {
        let statement = newest ? EventStatements.latest : EventStatements.oldest
        return try await events(pool.execute(statement, [projectID.postgresValue, id.postgresValue])).first
    }

    /// The previous and next event of the same issue, by time.
    package func neighbours(of event: StoredEvent) async throws -> (previous: EventID?, next: EventID?) {
        let row =
            try await pool.execute(
                EventStatements.neighbours,
                [
                    event.projectID.postgresValue, event.issueID.postgresValue, event.occurredAt.postgresValue,
                    event.eventID.uuid.postgresValue,
                ]
            )
            .first
        let previous: UUID? = try row?.readOptional("previous")
        let next: UUID? = try row?.readOptional("next")
        return (previous.map(EventID.init(uuid:)), next.map(EventID.init(uuid:)))
    }

    /// The project, within an organization, that has an event of this id.
    package func locate(_ id: EventID, organizationID: Int) async throws -> (projectID: Int, project: String)? {
        try await pool.execute(EventStatements.locate, [organizationID.postgresValue, id.uuid.postgresValue])
            .first.map { (try $0.read("project_id"), try $0.read("project")) }
    }
}

enum EventStatements {
    static let all = [byID, latest, oldest, neighbours, locate, exists]

    static let exists = PostgresStatement(
        "event_exists",
        "SELECT 1 AS one FROM event WHERE project_id = $1 AND event_id = $2",
        [.int8, .uuid]
    )

    /// The columns that ``StoredEvent`` reads.
    static let columns: SQLFragment = """
        e.project_id, e.event_id, e.received_at, e.occurred_at, e.sent_at, h.issue_id, h.hash, e.title,
        v.name AS environment, r.version AS release, e.level, e.tags, e.client_address, e.payload_codec, e.payload,
        e.notes, \(tie) AS tie
        """

    /// The first half of the id, which orders events with the same timestamp.
    static let tie: SQLFragment = "('x' || left(e.event_id::text, 8))::bit(32)::int8"

    static let tables: SQLFragment = """
        FROM event e
        JOIN grouping_hash h ON h.project_id = e.project_id AND h.id = e.hash_id
        JOIN environment v ON v.project_id = e.project_id AND v.id = e.environment_id
        LEFT JOIN release r ON r.project_id = e.project_id AND r.id = e.release_id
        """

    private static let select = "SELECT \(columns.sql) \(tables.sql) "

    static let byID = PostgresStatement(
        "event",
        select + "WHERE e.project_id = $1 AND e.event_id = $2 LIMIT 1",
        [.int8, .uuid]
    )

    static let latest = PostgresStatement(
        "event",
        select
            + "WHERE e.project_id = $1 AND h.issue_id = $2 ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT 1",
        [.int8, .int8]
    )

    static let oldest = PostgresStatement(
        "event",
        select + "WHERE e.project_id = $1 AND h.issue_id = $2 ORDER BY e.occurred_at, e.event_id LIMIT 1",
        [.int8, .int8]
    )

    static let neighbours = PostgresStatement(
        "event",
        """
        WITH hashes AS (SELECT id FROM grouping_hash WHERE project_id = $1 AND issue_id = $2)
        SELECT
            (SELECT event_id FROM event WHERE project_id = $1 AND hash_id IN (SELECT id FROM hashes)
                AND (occurred_at, event_id) < ($3, $4) ORDER BY occurred_at DESC, event_id DESC LIMIT 1) AS previous,
            (SELECT event_id FROM event WHERE project_id = $1 AND hash_id IN (SELECT id FROM hashes)
                AND (occurred_at, event_id) > ($3, $4) ORDER BY occurred_at, event_id LIMIT 1) AS next
        """,
        [.int8, .int8, .timestamptz, .uuid]
    )

    static let locate = PostgresStatement(
        "event",
        """
        SELECT p.id AS project_id, p.slug AS project
        FROM project p
        WHERE p.organization_id = $1 AND p.deleted_at IS NULL
            AND EXISTS (SELECT FROM event e WHERE e.project_id = p.id AND e.event_id = $2)
        LIMIT 1
        """,
        [.int8, .uuid]
    )
}
