import Foundation

/// The container in which SDKs send: a header line, then items, each a header line and a payload.
public struct Envelope: Sendable {
    /// Why the bytes are no envelope.
    public struct FramingError: Error, Sendable, Equatable, CustomStringConvertible {
        /// What was wrong, in words that are safe to show to the sender.
        public let description: String
        /// Whether a bound was broken, rather than the form.
        public var isTooLarge = false
    }

    /// Bounds that hold while framing, before anybody looks into the items.
    public struct Limits: Sendable {
        /// Most items of an envelope; one more refuses it whole.
        public var items: Int
        /// Most bytes of a header line.
        public var headerBytes: Int
        /// Most values and keys of the envelope's header.
        public var headerEntries: Int
        /// Most values and keys of an item's header: a list of thousands would take eight times its text, for each item.
        public var itemHeaderEntries: Int

        /// Limits that no real SDK reaches.
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

    /// One item: what it is, and its payload untouched.
    public struct Item: Sendable {
        /// The type as sent, such as `event`.
        public let type: String
        /// The whole header, for the members that only some types have.
        public let header: JSONNode
        /// The payload.
        public let payload: ArraySlice<UInt8>

        /// An item put together by hand.
        public init(type: String, header: JSONNode, payload: ArraySlice<UInt8>) {
            self.type = type
            self.header = header
            self.payload = payload
        }
    }

    /// The envelope's header, an object.
    public let header: JSONNode
    /// The items, in order.
    public let items: [Item]
    /// Bytes of the body that the items came in.
    public let size: Int

    /// The identity that the header names; nil when absent or malformed.
    public var eventID: EventID? { header.member("event_id")?.string.flatMap { EventID($0) } }
    /// The DSN that the header names; nil when absent or malformed.
    public var dsn: DSN? { header.member("dsn")?.string.flatMap { DSN($0) } }

    /// When the sender says that it sent; nil when absent or malformed.
    public var sentAt: Date? { header.member("sent_at")?.string.flatMap { Timestamp.parse($0) } }

    /// An envelope around a single event, for bodies that have none.
    public init(event: ArraySlice<UInt8>) {
        header = Self.eventHeader
        items = [Item(type: "event", header: Self.eventHeader, payload: event)]
        size = event.count
    }

    /// The header of an item that is an event.
    private static let eventHeader: JSONNode = {
        guard let document = try? JSONDocument(Array(#"{"type":"event"}"#.utf8)) else {
            preconditionFailure("the header of an event is valid JSON")
        }
        return document.root
    }()

    /// Reads an envelope.
    ///
    /// A `length` is believed to the byte; without one a payload ends at the line's end.
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
                // Digits only: other forms of a number would be read differently by whoever stands before us.
                guard let count = length.wholeNumber, let taken = reader.take(count) else {
                    throw FramingError(description: "the length of an item of type \(type.prefix(40)) does not fit")
                }
                payload = taken
                // An empty payload may have no line of its own.
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
            guard node.isObject else { throw FramingError(description: "the header of an \(what) is no object") }
            return node
        } catch let error as FramingError {
            throw error
        } catch {
            throw FramingError(description: "the header of an \(what) is no JSON")
        }
    }
}

/// Walks over bytes line by line.
private struct LineReader {
    private let bytes: ArraySlice<UInt8>
    private var at: Int

    init(bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    var isAtEnd: Bool { at == bytes.endIndex }

    /// Blank lines, and blanks before a header, as some SDKs put them between items.
    mutating func skipBlankLines() {
        while at < bytes.endIndex, [0x0A, 0x0D, 0x20, 0x09].contains(bytes[at]) { at += 1 }
    }

    /// What is left of the line, without its LF; a CR before it belongs to the line.
    mutating func line() -> ArraySlice<UInt8> {
        let end = bytes[at...].firstIndex(of: 0x0A) ?? bytes.endIndex
        defer { at = min(end + 1, bytes.endIndex) }
        return bytes[at..<end]
    }

    /// The line, or nil when it is longer than the limit.
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

    /// Exactly so many bytes, or nil when fewer are left.
    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= bytes.endIndex - at else { return nil }
        defer { at += count }
        return bytes[at..<at + count]
    }

    /// Passes the LF (or CR LF) after a payload; false when something else stands there.
    mutating func endLine() -> Bool {
        if isAtEnd { return true }
        if bytes[at] == 0x0D, at + 1 < bytes.endIndex, bytes[at + 1] == 0x0A { at += 1 }
        guard bytes[at] == 0x0A else { return false }
        at += 1
        return true
    }
}
