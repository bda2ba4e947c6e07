import CWhorlCompression
import Foundation

/// An accepted event that waits for the database: its scrubbed payload and its metadata.
package struct SpoolRecord: Sendable, Equatable {
    /// The version of the record format that is written; older versions can be read too.
    static let currentVersion = 1

    /// The project that the key belongs to.
    package var projectID: Int
    /// The key that the event was sent with.
    package var keyID: Int
    /// The event id, 16 bytes; an event that arrives without an id gets one before it is spooled.
    package var eventID: [UInt8]
    /// The time when the request arrived, in microseconds of Unix time.
    package var receivedAt: Int64
    /// The time when the event was sent, according to the sender, in microseconds of Unix time.
    package var sentAt: Int64?
    /// The client's address, if the event asks for it and the project stores addresses.
    package var clientAddress: String?
    /// The SDK that sent it, as `name/version`.
    package var sdk: String?
    /// The changes that were made before the event was spooled, in the format of the event row.
    package var notes: String?
    /// The codec number of the payload.
    package var codec: Int
    /// The scrubbed and compressed payload.
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

    /// CRC-32 of the whole record, to detect bits that flipped on disk.
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
