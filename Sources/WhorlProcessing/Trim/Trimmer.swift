import WhorlProtocol

/// Cuts an event to its ``FieldLimits``: the same bytes are always cut in the same way, and each cut leaves a note.
struct Trimmer {
    private let limits: FieldLimits
    private let document: JSONDocument
    private(set) var notes = NoteList([])

    init(_ document: JSONDocument, _ limits: FieldLimits) {
        self.document = document
        self.limits = limits
    }

    /// Adds what has to be cut.
    mutating func add(to edits: inout PayloadEdits) {
        // Found in one pass that allocates nothing for an event within its limits.
        var found: [JSONDocument.Visit] = []
        let smallest = min(
            limits.members,
            limits.elements,
            limits.frames,
            limits.exceptions,
            limits.breadcrumbs,
            limits.tags
        )
        document.scan { visit in
            if visit.isString {
                if visit.bytes.count > limits.stringBytes { found.append(visit) }
                return .over
            }
            guard visit.isArray || visit.isObject else { return .over }
            if visit.depth >= limits.depth {
                found.append(visit)
                return .over
            }
            if visit.size > smallest { found.append(visit) }
            return .into
        }
        for visit in found { cut(document.node(visit), visit, &edits) }
        let root = document.root
        cut(members: root, to: limits.members, &edits)
    }

    private mutating func cut(_ node: JSONNode, _ visit: JSONDocument.Visit, _ edits: inout PayloadEdits) {
        if node.isString {
            edits.replace(node.range, with: Self.shortened(node, to: limits.stringBytes))
            note(node, "value_too_long")
        } else if visit.depth >= limits.depth {
            edits.replace(node.range, with: "\"[nested too deeply]\"")
            note(node, "depth_limit")
        } else if node.isObject {
            cut(members: node, to: limits.members, &edits)
        } else {
            let (count, end) = bound(of: visit)
            cut(elements: node, to: count, keeping: end, &edits)
        }
    }

    private enum End {
        case first
        case last
        case both
    }

    /// How many elements a list may have, by the key under which it stands.
    private func bound(of visit: JSONDocument.Visit) -> (Int, End) {
        let path = document.path(of: document.node(visit)).split(separator: ".")
        if path.last == "frames" { return (limits.frames, .both) }
        switch path.first {
        case "exception", "sentry.interfaces.Exception":
            return path.count == 1 || path[1...] == ["values"] ? (limits.exceptions, .both) : (limits.elements, .first)
        case "breadcrumbs", "sentry.interfaces.Breadcrumbs":
            return path.count == 1 || path[1...] == ["values"] ? (limits.breadcrumbs, .last) : (limits.elements, .first)
        case "tags": return (limits.tags, .first)
        default: return (limits.elements, .first)
        }
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

    private mutating func cut(members object: JSONNode, to limit: Int, _ edits: inout PayloadEdits) {
        var count = 0
        var lastKept: JSONNode?
        for (_, value) in object.members {
            count += 1
            if count <= limit { lastKept = value }
        }
        guard count > limit, let lastKept else { return }
        edits.remove(lastKept.range.upperBound..<object.range.upperBound - 1)
        note(object, "too_many_members")
    }

    private mutating func note(_ node: JSONNode, _ reason: String) {
        notes.add(document.path(of: node), reason)
    }

    /// The literal of a string cut to so many bytes, neither inside an escape nor inside a character.
    private static func shortened(_ node: JSONNode, to limit: Int) -> String {
        let literal = node.rawBytes
        let content = literal.dropFirst().dropLast()
        var end = content.startIndex + max(limit - 3, 0)
        // Back to the start of a character.
        while end > content.startIndex, content[end] & 0xC0 == 0x80 { end -= 1 }
        // Out of an escape: a run of backslashes before the cut, or the digits of \u1234.
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
