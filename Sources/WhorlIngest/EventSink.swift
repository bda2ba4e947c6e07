import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlSpool
import WhorlStore
import WhorlTelemetry

/// The end of an event's way in: it returns when the event is kept, in the database or, while that is away, in the spool.
package struct EventSink: Sendable {
    /// Where an event is kept.
    package enum Kept: Sendable {
        case stored(isNewIssue: Bool, isRegression: Bool)
        /// The database had it already.
        case duplicate
        /// It waits on the disk.
        case spooled
    }

    private let writer: EventWriter
    private let spool: Spool
    private let codec: PayloadCodec
    private let keys: KeyDirectory

    package init(writer: EventWriter, spool: Spool, codec: PayloadCodec, keys: KeyDirectory) {
        self.keys = keys
        self.writer = writer
        self.spool = spool
        self.codec = codec
    }

    /// Whether an event sent now could be kept.
    package var canKeep: Bool {
        get async {
            if await writer.isAnswering { return true }
            return await spool.canAppend
        }
    }

    /// Compresses an event, so that its bytes are not needed any more.
    package func prepare(_ event: ProcessedEvent) -> PreparedEvent { PreparedEvent(event, codec) }

    /// Keeps an event; throws ``SpoolError`` when neither the database nor the spool can take it.
    package func keep(_ prepared: PreparedEvent, keyID: Int) async throws -> Kept {
        guard Fault.stands(.commitFirst) else {
            Task { try? await writer.submit(prepared) }
            return .stored(isNewIssue: false, isRegression: false)
        }
        do {
            switch try await writer.submit(prepared) {
            case .stored(let isNewIssue, let isRegression):
                return .stored(isNewIssue: isNewIssue, isRegression: isRegression)
            case .duplicate: return .duplicate
            }
        } catch let error as PostgresError where error.refusesData {
            // The database answers and will never take it: kept aside for people to look at.
            try await spool.bury(SpoolRecord(prepared, keyID: keyID), reason: error.description)
        } catch {
            // Away, overloaded, or unknown whether it was stored: the replay tells duplicates apart.
            if Fault.stands(.spool) {
                try await spool.append(SpoolRecord(prepared, keyID: keyID), isOnlyProject: keys.hasOneProject)
            }
            Fault.crashPoint(.afterSpoolWrite)
        }
        return .spooled
    }
}

extension PostgresError {
    /// Whether the server refused the rows themselves, so that no later try will do better: bad data, a broken rule,
    /// a limit of the server.
    ///
    /// A cancelled statement or a missing right is nothing that the event can help.
    package var refusesData: Bool {
        guard let sqlState else { return false }
        return ["22", "23", "54"].contains { sqlState.hasPrefix($0) }
    }

    /// Whether the server stumbled over the statement itself, which another try may or may not mend.
    package var isInternal: Bool { sqlState == "XX000" }
}

extension SpoolRecord {
    /// The record of an event that is ready to be stored.
    init(_ prepared: PreparedEvent, keyID: Int) {
        let event = prepared.event
        self.init(
            projectID: event.projectID,
            keyID: keyID,
            eventID: event.eventID.bytes,
            receivedAt: event.receivedAt.microseconds,
            sentAt: event.sentAt?.microseconds,
            clientAddress: event.clientAddress,
            sdk: event.sdk,
            notes: prepared.notes,
            codec: Int(prepared.codec),
            payload: prepared.payload
        )
    }
}

extension Date {
    fileprivate var microseconds: Int64 {
        // Within the years 1 to 9999, which is all that events get past their clamp.
        Int64(max(-6e10, min(2.6e11, timeIntervalSince1970)) * 1_000_000)
    }
}
