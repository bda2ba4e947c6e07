import Foundation
import GRDB

/// A row of the file as it is read: what stands in it may be damaged.
struct StoredRecord: FetchableRecord, Sendable {
    let id: Int64
    private let content: Result<SpoolRecord, SpoolError>

    init(row: Row) {
        id = (row["id"] as DatabaseValue?).flatMap(Int64.fromDatabaseValue) ?? 0
        content = Result { () throws(SpoolError) in try Self.record(row) }
    }

    /// What its payload takes; nothing when it is damaged.
    var payloadBytes: Int { (try? content.get())?.payload.count ?? 0 }

    /// The record, when it is what was written.
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
    /// A value of a file that may be damaged: GRDB's own subscripts end the process at a value of another type.
    func undamaged<Value: DatabaseValueConvertible>(
        _ column: String,
        as: Value.Type = Value.self
    ) throws(SpoolError) -> Value {
        guard let value: Value = try undamagedIfPresent(column) else {
            throw .unusable("the record is damaged: \(column) is missing")
        }
        return value
    }

    /// The same where null is a value.
    func undamagedIfPresent<Value: DatabaseValueConvertible>(_ column: String) throws(SpoolError) -> Value? {
        guard let stored = self[column] as DatabaseValue?, !stored.isNull else { return nil }
        guard let value = Value.fromDatabaseValue(stored) else {
            throw .unusable("the record is damaged: \(column) has another type")
        }
        return value
    }
}
