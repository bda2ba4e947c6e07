import Foundation
import GRDB

/// A row of the spool file, whose content may be damaged.
struct StoredRecord: FetchableRecord, Sendable {
    let id: Int64
    private let content: Result<SpoolRecord, SpoolError>

    init(row: Row) {
        id = (row["id"] as DatabaseValue?).flatMap(Int64.fromDatabaseValue) ?? 0
        content = Result { () throws(SpoolError) in try Self.record(row) }
    }

    /// The size of the payload; 0 when the row is damaged.
    var payloadBytes: Int { (try? content.get())?.payload.count ?? 0 }

    /// The record; throws when the row is damaged.
    func verified() throws(SpoolError) -> SpoolRecord { try content.get() }

    private static func record(_ row: Row) throws(SpoolError) -> SpoolRecord {
        let version: Int = try row.undamaged("version")
        guard version <= SpoolRecord.currentVersion else {
            throw .unusable("the record has version \(version), newer than this program")
        }
        let record = SpoolRecord(
            projectID: try row.undamaged("project_id"),
            keyID: try row.undamaged("key_id"),
            eventID: Array(try row.undamaged("event_id", as: Data.self)),
            receivedAt: try row.undamaged("received_at"),
            sentAt: try row.undamagedIfPresent("sent_at"),
            clientAddress: try row.undamagedIfPresent("client_address"),
            sdk: try row.undamagedIfPresent("sdk"),
            notes: try row.undamagedIfPresent("notes"),
            codec: try row.undamaged("codec"),
            payload: Array(try row.undamaged("payload", as: Data.self))
        )
        let checksum: Int64 = try row.undamaged("checksum")
        guard record.checksum == checksum, record.eventID.count == 16 else {
            throw .unusable("the record is damaged: its checksum differs")
        }
        return record
    }
}

extension Row {
    /// Reads a value from a possibly damaged file; GRDB's own subscripts crash the process when the type differs.
    func undamaged<Value: DatabaseValueConvertible>(
        _ column: String,
        as: Value.Type = Value.self
    ) throws(SpoolError) -> Value {
        guard let value: Value = try undamagedIfPresent(column) else {
            throw .unusable("the record is damaged: \(column) is missing")
        }
        return value
    }

    /// Reads a value that may be null from a possibly damaged file.
    func undamagedIfPresent<Value: DatabaseValueConvertible>(_ column: String) throws(SpoolError) -> Value? {
        guard let stored = self[column] as DatabaseValue?, !stored.isNull else { return nil }
        guard let value = Value.fromDatabaseValue(stored) else {
            throw .unusable("the record is damaged: \(column) has another type")
        }
        return value
    }
}
