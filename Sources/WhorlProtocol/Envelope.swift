import Foundation

/// An envelope, the container format of SDKs: a header line, then items, each with a header line and a payload.
public struct Envelope: Sendable {
    /// The reason why bytes are not a valid envelope.
    public struct FramingError: Error, Sendable, Equatable, CustomStringConvertible {
        /// The reason, which is safe to show to the sender.
        public let description: String
        /// Whether a limit is exceeded; false for an invalid format.
        public var isTooLarge = false
    }

    /// The limits for parsing an envelope, which apply before the items are parsed.
    public struct Limits: Sendable {
        /// The maximum number of items; an envelope with more items is rejected.
        public var items: Int
        /// The maximum length of a header line in bytes.
        public var headerBytes: Int
        /// The maximum number of values and keys in the envelope header.
        public var headerEntries: Int
        /// The maximum number of values and keys in an item header.
        ///
        /// For a list of thousands of values, the parsed entries take eight times the size of the text, for each item.
        public var itemHeaderEntries: Int

        /// Creates limits; the defaults are above what SDKs send.
        public init(
            items: Int = 250,
            headerBytes: Int = 64 * 1024,
            headerEntries: Int = 8_000,
            itemHeaderEntries: Int = 1_000
        ) {
            self.items = items
            self.headerBytes = headerBytes
            self.headerEntries = headerEntries
            self.itemHeaderEntries = itemHeaderEntries
        }
    }

    /// An item with its unparsed payload.
    public struct Item: Sendable {
        /// The type as sent, such as `event`.
        public let type: String
        /// The whole header, including the members of specific types.
        public let header: JSONNode
        /// The payload.
        public let payload: ArraySlice<UInt8>

        /// Creates an item.
        public init(type: String, header: JSONNode, payload: ArraySlice<UInt8>) {
            self.type = type
            self.header = header
            self.payload = payload
        }
    }

    /// The envelope header, a JSON object.
    public let header: JSONNode
    /// The items, in order.
    public let items: [Item]
    /// The size of the request body in bytes.
    public let size: Int

    /// The event id in the header; nil when absent or malformed.
    public var eventID: EventID? { header.member("event_id")?.string.flatMap { EventID($0) } }
    /// The DSN in the header; nil when absent or malformed.
    public var dsn: DSN? { header.member("dsn")?.string.flatMap { DSN($0) } }

    /// The time in the header when the sender sent the envelope; nil when absent or malformed.
    public var sentAt: Date? { header.member("sent_at")?.string.flatMap { Timestamp.parse($0) } }

    /// Creates an envelope with a single event, for request bodies without an envelope.
    public init(event: ArraySlice<UInt8>) {
        header = Self.eventHeader
        items = [Item(type: "event", header: Self.eventHeader, payload: event)]
        size = event.count
    }

    /// The item header of an event.
    private static let eventHeader: JSONNode = {
        guard let document = try? JSONDocument(Array(#"{"type":"event"}"#.utf8)) else {
            preconditionFailure("the header of an event is valid JSON")
        }
        return document.root
    }()

    /// Parses an envelope.
    ///
    /// The payload of an item has exactly `length` bytes. Without a `length`, it ends at the end of the line.
    public init(_ bytes: ArraySlice<UInt8>, limits: Limits = Limits()) throws(FramingError) {
        size = bytes.count
        var reader = LineReader(bytes: bytes)
        reader.skipBlankLines()
        guard !reader.isAtEnd else { throw FramingError(description: "the envelope is empty") }
        header = try Self.headerLine(&reader, limits, "envelope")
        var items: [Item] = []
        while true {
            reader.skipBlankLines()
            if reader.isAtEnd { break }
            guard items.count < limits.items else {
                throw FramingError(description: "too many items", isTooLarge: true)
            }
            let header = try Self.headerLine(&reader, limits, "item")
            guard let type = header.member("type")?.string, !type.isEmpty else {
                throw FramingError(description: "an item has no type")
            }
            let payload: ArraySlice<UInt8>
            if let length = header.member("length") {
                // Only digits are accepted, because a proxy may interpret other number formats differently.
                guard let count = length.wholeNumber, let taken = reader.take(count) else {
                    throw FramingError(description: "the length of an item of type \(type.prefix(40)) is invalid")
                }
                payload = taken
                // An empty payload may have no line.
                guard reader.endLine() || count == 0 else {
                    throw FramingError(description: "no line break after an item of type \(type.prefix(40))")
                }
            } else {
                payload = reader.line()
            }
            items.append(Item(type: type, header: header, payload: payload))
        }
        self.items = items
    }

    private static func headerLine(
        _ reader: inout LineReader,
        _ limits: Limits,
        _ what: String
    ) throws(FramingError) -> JSONNode {
        let line = reader.line(atMost: limits.headerBytes)
        guard let line else { throw FramingError(description: "the header of an \(what) is too long") }
        do {
            let node = try JSONDocument(
                Array(line),
                maxEntries: what == "item" ? limits.itemHeaderEntries : limits.headerEntries
            )
            .root
            guard node.isObject else { throw FramingError(description: "the header of an \(what) is not an object") }
            return node
        } catch let error as FramingError {
            throw error
        } catch {
            throw FramingError(description: "the header of an \(what) is not valid JSON")
        }
    }
}

/// Reads bytes line by line.
private struct LineReader {
    private let bytes: ArraySlice<UInt8>
    private var at: Int

    init(bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    var isAtEnd: Bool { at == bytes.endIndex }

    /// Skips blank lines, and whitespace before a header, which some SDKs send between items.
    mutating func skipBlankLines() {
        while at < bytes.endIndex, [0x0A, 0x0D, 0x20, 0x09].contains(bytes[at]) { at += 1 }
    }

    /// Returns the rest of the line without its LF; a CR before the LF is part of the line.
    mutating func line() -> ArraySlice<UInt8> {
        let end = bytes[at...].firstIndex(of: 0x0A) ?? bytes.endIndex
        defer { at = min(end + 1, bytes.endIndex) }
        return bytes[at..<end]
    }

    /// Returns the line, or nil when it is longer than `limit` bytes.
    mutating func line(atMost limit: Int) -> ArraySlice<UInt8>? {
        let horizon = min(bytes.endIndex, at + limit + 1)
        guard let end = bytes[at..<horizon].firstIndex(of: 0x0A) else {
            guard horizon == bytes.endIndex, bytes.endIndex - at <= limit else { return nil }
            defer { at = bytes.endIndex }
            return bytes[at...]
        }
        defer { at = end + 1 }
        return bytes[at..<end]
    }

    /// Returns exactly `count` bytes, or nil when fewer are left.
    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= bytes.endIndex - at else { return nil }
        defer { at += count }
        return bytes[at..<at + count]
    }

    /// Skips the LF (or CR LF) after a payload; returns false when there is something else.
    mutating func endLine() -> Bool {
        if isAtEnd { return true }
        if bytes[at] == 0x0D, at + 1 < bytes.endIndex, bytes[at + 1] == 0x0A { at += 1 }
        guard bytes[at] == 0x0A else { return false }
        at += 1
        return true
    }
}
