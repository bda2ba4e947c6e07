import CWhorlCompression
import Foundation

/// An accepted event while it waits for the database: its scrubbed bytes, and what arrived with them.
package struct SpoolRecord: Sendable, Equatable {
    /// The form of the records that this program writes; it reads this one and older ones.
    static let currentVersion = 1

    /// The project that the key belongs to.
    package var projectID: Int
    /// The key with which it came.
    package var keyID: Int
    /// Sixteen bytes; an event that came without an identity was given one before it was spooled.
    package var eventID: [UInt8]
    /// When the request arrived, in microseconds of Unix time.
    package var receivedAt: Int64
    /// When the sender says that it sent, in microseconds of Unix time.
    package var sentAt: Int64?
    /// The client's address, where the event asks for it and the project keeps addresses.
    package var clientAddress: String?
    /// The SDK that sent it, as `name/version`.
    package var sdk: String?
    /// What was changed or left out before it was spooled, in the form of the event row.
    package var notes: String?
    /// How the payload is compressed.
    package var codec: Int
    /// The event's bytes, scrubbed and compressed.
    package var payload: [UInt8]

    package init(
        projectID: Int,
        keyID: Int,
        eventID: [UInt8],
        receivedAt: Int64,
        sentAt: Int64?,
        clientAddress: String?,
        sdk: String?,
        notes: String?,
        codec: Int,
        payload: [UInt8]
    ) {
        self.projectID = projectID
        self.keyID = keyID
        self.eventID = eventID
        self.receivedAt = receivedAt
        self.sentAt = sentAt
        self.clientAddress = clientAddress
        self.sdk = sdk
        self.notes = notes
        self.codec = codec
        self.payload = payload
    }

    /// CRC-32 of everything in the record, so that a bit that flipped on the disk is noticed.
    var checksum: Int64 {
        var sum: UInt32 = 0
        func add(_ bytes: [UInt8]) { sum = libdeflate_crc32(sum, bytes, bytes.count) }
        func add(_ text: String?) { add(Array((text.map { "\($0.utf8.count):" + $0 } ?? "-").utf8)) }
        add("\(projectID) \(keyID) \(receivedAt) \(sentAt ?? .min) \(codec)")
        add(clientAddress)
        add(sdk)
        add(notes)
        add(eventID)
        add(payload)
        return Int64(sum)
    }
}
