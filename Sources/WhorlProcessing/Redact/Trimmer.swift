import WhorlProtocol

/// Trims an event to its ``FieldLimits``; trimming is deterministic, and each change adds a note.
struct Trimmer {
    /// The maximum length of a key in bytes, with escapes as written; normal keys are far below.
    private static let maxKeyBytes = 512

    private let limits: FieldLimits
    private let document: JSONDocument
    private(set) var notes = NoteList([])

    init(_ document: JSONDocument, _ limits: FieldLimits) {
        self.document = document
        self.limits = limits
    }

    /// Adds the edits that trim the event.
    mutating func add(to edits: inout PayloadEdits) {
        // One pass finds all values. For an event within its limits, it adds nothing to these lists.
        var scalars: [JSONNode] = []
        var deep: [JSONNode] = []
        var lists: [(node: JSONNode, count: Int, end: End)] = []
        var objects = [document.root]
        var member = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        var longKeys: [JSONNode] = []
        document.scan { visit in
            if visit.key.count > Self.maxKeyBytes { longKeys.append(document.node(visit)) }
            if visit.isNumber {
                if !Self.isPlain(visit.bytes) { scalars.append(document.node(visit)) }
                return .over
            }
            if visit.isString {
                if visit.bytes.count > limits.stringBytes { scalars.append(document.node(visit)) }
                return .over
            }
            guard visit.isArray || visit.isObject else { return .over }
            if visit.depth >= limits.depth {
                deep.append(document.node(visit))
                return .over
            }
            if visit.depth == 1 { member = visit.key }
            // The size counts all nested values and keys, so this check selects only a few candidates.
            if visit.isArray {
                let (count, end) = bound(of: visit, in: member)
                if visit.size > count { lists.append((document.node(visit), count, end)) }
            } else if visit.size > limits.members * 2 {
                objects.append(document.node(visit))
            }
            return .into
        }
        for node in scalars { cut(scalar: node, &edits) }
        for node in deep {
            edits.replace(node.range, with: "\"[nested too deeply]\"")
            note(node, "depth_limit")
        }
        for (node, count, end) in lists { cut(elements: node, to: count, keeping: end, &edits) }
        for node in objects { cut(members: node, to: limits.members, &edits) }
        for value in longKeys { cut(keyOf: value, &edits) }
    }

    /// Whether a number is short and has no exponent, so that it is in range.
    private static func isPlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.count <= 25 && !bytes.contains { $0 | 0x20 == UInt8(ascii: "e") }
    }

    private mutating func cut(keyOf value: JSONNode, _ edits: inout PayloadEdits) {
        guard let key = value.key else { return }
        edits.replace(key.range, with: Self.shortened(key, to: Self.maxKeyBytes))
        note(value, "key_too_long")
    }

    private mutating func cut(scalar node: JSONNode, _ edits: inout PayloadEdits) {
        if node.isNumber {
            // Parsers differ in how they treat numbers that are out of range.
            guard node.double == nil, node.int == nil else { return }
            edits.replace(node.range, with: "null")
            note(node, "number_out_of_range")
        } else {
            edits.replace(node.range, with: Self.shortened(node, to: limits.stringBytes))
            note(node, "value_too_long")
        }
    }

    private enum End {
        case first
        case last
        case both
    }

    /// The maximum number of elements of a list, and the end that is kept.
    ///
    /// Both depend on the key of the list, or for `values` on the member of the event.
    private func bound(of list: JSONDocument.Visit, in member: UnsafeBufferPointer<UInt8>) -> (Int, End) {
        func equals(_ key: UnsafeBufferPointer<UInt8>, _ name: String) -> Bool { name.utf8.elementsEqual(key) }
        if equals(list.key, "frames") { return (limits.frames, .both) }
        guard list.depth == 1 || list.depth == 2 && equals(list.key, "values") else { return (limits.elements, .first) }
        if ["exception", "sentry.interfaces.Exception"].contains(where: { equals(member, $0) }) {
            return (limits.exceptions, .both)
        }
        if ["breadcrumbs", "sentry.interfaces.Breadcrumbs"].contains(where: { equals(member, $0) }) {
            return (limits.breadcrumbs, .last)
        }
        return equals(member, "tags") ? (limits.tags, .first) : (limits.elements, .first)
    }

    private mutating func cut(elements list: JSONNode, to limit: Int, keeping end: End, _ edits: inout PayloadEdits) {
        let elements = Array(list.elements)
        guard elements.count > limit, limit > 1 else { return }
        let head =
            switch end {
            case .first: limit
            case .last: 0
            case .both: limit / 2
            }
        let tail = limit - head
        let firstGone = elements[head].range.lowerBound
        if tail == 0 {
            edits.remove(elements[head - 1].range.upperBound..<list.range.upperBound - 1)
        } else {
            edits.remove(firstGone..<elements[elements.count - tail].range.lowerBound)
        }
        note(list, "too_many_elements")
    }

    /// Trims the members of an object.
    ///
    /// Of duplicate keys only the last member is used, so the others are removed first.
    private mutating func cut(members object: JSONNode, to limit: Int, _ edits: inout PayloadEdits) {
        let members = Array(object.members)
        guard members.count > limit else { return }
        var last: [ArraySlice<UInt8>: Int] = [:]
        for (place, member) in members.enumerated() { last[member.key.rawBytes] = place }
        let kept = members.indices.filter { last[members[$0].key.rawBytes] == $0 }.prefix(limit)
        guard let first = kept.first, let end = kept.last else { return }
        edits.remove(object.range.lowerBound + 1..<members[first].key.range.lowerBound)
        for (place, next) in zip(kept, kept.dropFirst()) where next != place + 1 {
            edits.remove(members[place].value.range.upperBound..<members[next - 1].value.range.upperBound)
        }
        edits.remove(members[end].value.range.upperBound..<object.range.upperBound - 1)
        note(object, "too_many_members")
    }

    private mutating func note(_ node: JSONNode, _ reason: String) {
        notes.add(document.path(of: node), reason)
    }

    /// The literal of a string, truncated to at most `limit` bytes without splitting an escape or a character.
    private static func shortened(_ node: JSONNode, to limit: Int) -> String {
        let literal = node.rawBytes
        let content = literal.dropFirst().dropLast()
        var end = content.startIndex + max(limit - 3, 0)
        // Move back to the start of a character.
        while end > content.startIndex, content[end] & 0xC0 == 0x80 { end -= 1 }
        // Move back to the start of an escape: a run of backslashes before the end, or the digits of \u1234.
        let window = content[max(content.startIndex, end - 6)..<end]
        if let slash = window.lastIndex(of: UInt8(ascii: "\\")) {
            var run = 0
            var at = slash
            while at >= content.startIndex, content[at] == UInt8(ascii: "\\") {
                run += 1
                at -= 1
            }
            let opens = run % 2 == 1
            let length = slash + 1 < content.endIndex && content[slash + 1] == UInt8(ascii: "u") ? 6 : 2
            if opens, slash + length > end { end = slash }
        }
        return "\"" + String(decoding: content[..<end], as: UTF8.self) + "...\""
    }
}
