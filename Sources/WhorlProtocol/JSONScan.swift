/// One pass over all values of a text, for rules that look at everything: the flat list makes it a simple loop.
extension JSONDocument {
    /// What a pass shows of one value.
    public struct Visit {
        /// The raw bytes of the key of the value, escapes as written; empty for elements of arrays.
        public let key: UnsafeBufferPointer<UInt8>
        /// The raw bytes of the value, without the quotes of a string.
        public let bytes: UnsafeBufferPointer<UInt8>
        /// How many containers hold the value.
        public let depth: Int
        /// How many values it holds, at any depth, keys counted too.
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

    /// Where a pass goes on after a value.
    public enum Step {
        /// With what the value holds.
        case into
        /// With what stands after it.
        case over
    }

    /// Shows every value but the root, in the order of the text.
    public func scan(_ visit: (Visit) -> Step) {
        bytes.withUnsafeBufferPointer { bytes in
            entries.withUnsafeBufferPointer { entries in
                // Where each open container ends.
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

    /// The value that a pass showed, to be looked at further.
    public func node(_ visit: Visit) -> JSONNode { JSONNode(document: self, index: visit.index) }

    /// Where a value stands, as `request.headers.2`.
    ///
    /// Keys that are more than names are written as `*`: they may quote what must not be kept.
    public func path(of node: JSONNode) -> String {
        var parts: [String] = []
        var at = root
        // Each step goes one container down, and nesting is bounded.
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

    /// A key in a path: as it is where it consists of letters, a few digits and the usual signs.
    private static func shown(_ key: String) -> String {
        let isName = key.utf8.allSatisfy { byte in
            byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte >= 0x80 || "_-.:$ ".utf8.contains(byte)
        }
        let digits = key.utf8.count { $0 &- 0x30 < 10 }
        return isName && digits < 9 ? String(key.prefix(60)) : "*"
    }
}

extension JSONNode {
    /// The key under which the value stands in an object; nil for elements of arrays and the root.
    public var key: JSONNode? {
        guard index > 0, document.entries[index - 1].isKey else { return nil }
        return JSONNode(document: document, index: index - 1)
    }

    /// Where the value stands in the document's bytes, the quotes of a string included.
    public var range: Range<Int> { rawBytes.startIndex..<rawBytes.endIndex }

    fileprivate func contains(_ other: JSONNode) -> Bool {
        index <= other.index && other.index < Int(document.entries[index].next)
    }
}
