/// A scan over all values of a text, for rules that check every value.
extension JSONDocument {
    /// A value during a scan.
    public struct Visit {
        /// The raw bytes of the key of the value, escapes as written; empty for elements of arrays.
        public let key: UnsafeBufferPointer<UInt8>
        /// The raw bytes of the value, without the quotes of a string.
        public let bytes: UnsafeBufferPointer<UInt8>
        /// The number of containers that contain the value.
        public let depth: Int
        /// The number of nested values and keys at any depth.
        public let size: Int
        let index: Int
        let entry: Entry

        /// Whether it is a string.
        public var isString: Bool { entry.kind == .string }
        /// Whether it is a number.
        public var isNumber: Bool { entry.kind == .number }
        /// Whether it is an array.
        public var isArray: Bool { entry.kind == .array }
        /// Whether it is an object.
        public var isObject: Bool { entry.kind == .object }
    }

    /// The next step of a scan after a value.
    public enum Step {
        /// Continue with the content of the value.
        case into
        /// Skip the content of the value.
        case over
    }

    /// Calls `visit` for every value except the root, in the order of the text.
    public func scan(_ visit: (Visit) -> Step) {
        bytes.withUnsafeBufferPointer { bytes in
            entries.withUnsafeBufferPointer { entries in
                // The end of each open container.
                var ends: [Int] = []
                var index = 1
                while index < entries.count {
                    while let end = ends.last, index >= end { ends.removeLast() }
                    let keyIndex = entries[index].isKey ? index : nil
                    if keyIndex != nil { index += 1 }
                    let entry = entries[index]
                    let step = visit(
                        Visit(
                            key: keyIndex.map { Self.slice(bytes, entries[$0]) } ?? .init(start: nil, count: 0),
                            bytes: Self.slice(bytes, entry),
                            depth: ends.count + 1,
                            size: Int(entry.next) - index - 1,
                            index: index,
                            entry: entry
                        )
                    )
                    if step == .into, entry.kind == .object || entry.kind == .array {
                        ends.append(Int(entry.next))
                        index += 1
                    } else {
                        index = Int(entry.next)
                    }
                }
            }
        }
    }

    private static func slice(_ bytes: UnsafeBufferPointer<UInt8>, _ entry: Entry) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[Int(entry.start)..<Int(entry.end)])
    }

    /// The node of a visited value.
    public func node(_ visit: Visit) -> JSONNode { JSONNode(document: self, index: visit.index) }

    /// The path of a value, such as `request.headers.2`.
    ///
    /// Keys that are not plain names become `*`, because they may contain sensitive data.
    public func path(of node: JSONNode) -> String {
        var parts: [String] = []
        var at = root
        // Each step enters one container, and the nesting depth is limited.
        while at.index != node.index {
            var next: JSONNode?
            for (key, value) in at.members where value.contains(node) {
                parts.append(Self.shown(key.string ?? ""))
                next = value
            }
            for (place, value) in at.elements.enumerated() where value.contains(node) {
                parts.append(String(place))
                next = value
            }
            guard let next else { break }
            at = next
        }
        return parts.joined(separator: ".")
    }

    /// A key in a path: unchanged if it consists of letters, a few digits and common punctuation, else `*`.
    private static func shown(_ key: String) -> String {
        let isName = key.utf8.allSatisfy { byte in
            byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte >= 0x80 || "_-.:$ ".utf8.contains(byte)
        }
        let digits = key.utf8.count { $0 &- 0x30 < 10 }
        return isName && digits < 9 ? String(key.prefix(60)) : "*"
    }
}

extension JSONNode {
    /// The key of the value in an object; nil for elements of arrays and the root.
    public var key: JSONNode? {
        guard index > 0, document.entries[index - 1].isKey else { return nil }
        return JSONNode(document: document, index: index - 1)
    }

    /// The range of the value in the bytes of the document, including the quotes of a string.
    public var range: Range<Int> { rawBytes.startIndex..<rawBytes.endIndex }

    fileprivate func contains(_ other: JSONNode) -> Bool {
        index <= other.index && other.index < Int(document.entries[index].next)
    }
}
