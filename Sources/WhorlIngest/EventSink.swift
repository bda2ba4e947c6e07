import Foundation
import WhorlPostgres
import WhorlProcessing
import WhorlProtocol
import WhorlSpool
import WhorlStore
import WhorlTelemetry

#if DEBUG
import WhorlFaults
#endif

/// Stores events in the database or, while that is unavailable, in the spool.
package struct EventSink: Sendable {
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

    /// Whether an event that arrives now can be kept.
    package var canKeep: Bool {
        get async {
            if writer.isAnswering { return true }
            return await spool.canAppend
        }
    }

    /// Compresses an event, so that its uncompressed bytes can be released.
    package func prepare(_ event: ProcessedEvent) -> PreparedEvent { PreparedEvent(event, codec) }

    /// Keeps an event and returns once it is durable.
    ///
    /// Throws a refusal when neither the database nor the spool accepts the event.
    package func keep(_ event: PreparedEvent, keyID: Int) async throws(IngestRefusal) -> WriteResult {
        #if DEBUG
        if !Fault.isEnabled(.commitFirst) { return await FaultySink.acknowledgeAtOnce(event, writer) }
        #endif
        do {
            return try await writer.submit(event)
        } catch {
            do {
                try await setAside(event, keyID, after: error)
                return .spooled
            } catch {
                throw .unavailable(cause: error)
            }
        }
    }

    private func setAside(_ event: PreparedEvent, _ keyID: Int, after error: any Error) async throws {
        if let error = error as? PostgresError, error.refusesData {
            // The database is available but never accepts this event, so the event is dead-lettered for inspection.
            try await spool.deadLetter(SpoolRecord(event, keyID: keyID), reason: error.description)
            return
        }
        #if DEBUG
        if !Fault.isEnabled(.spool) { return }
        #endif
        // The database is unavailable or overloaded, or the outcome is unknown. The replay detects duplicates.
        try await spool.append(SpoolRecord(event, keyID: keyID), isOnlyProject: keys.hasOneProject)
        #if DEBUG
        Fault.crashPoint(.afterSpoolWrite)
        #endif
    }
}

#if DEBUG
/// A sink that answers before the commit, so that a test can show that it detects this fault.
private enum FaultySink {
    static func acknowledgeAtOnce(_ event: PreparedEvent, _ writer: EventWriter) async -> WriteResult {
        Task { try? await writer.submit(event) }
        return .stored(isNewIssue: false, isRegression: false)
    }
}
#endif

extension PostgresError {
    /// Whether the server rejected the data itself, so that no retry can succeed.
    ///
    /// The causes are invalid data, a violated constraint, or a limit of the server. A cancelled statement or a missing
    /// privilege does not count, because the event does not cause it.
    package var refusesData: Bool {
        guard let sqlState else { return false }
        return ["22", "23", "54"].contains { sqlState.hasPrefix($0) }
    }

    /// Whether the server failed internally on the statement; a retry may or may not succeed.
    package var isInternal: Bool { sqlState == "XX000" }
}

extension SpoolRecord {
    /// Creates the record of an event that is ready to be stored.
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
        // Prevents an overflow; the times of events are within the years 1 to 9999.
        Int64(max(-6e10, min(2.6e11, timeIntervalSince1970)) * 1_000_000)
    }
}
