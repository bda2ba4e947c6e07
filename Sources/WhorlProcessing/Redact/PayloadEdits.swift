/// A list of replacements of byte ranges in an event; all other bytes stay as received.
struct PayloadEdits {
    private var edits: [(range: Range<Int>, bytes: [UInt8])] = []

    var isEmpty: Bool { edits.isEmpty }

    mutating func replace(_ range: Range<Int>, with text: String) {
        edits.append((range, Array(text.utf8)))
    }

    mutating func remove(_ range: Range<Int>) {
        edits.append((range, []))
    }

    /// Returns the bytes with all replacements applied; of overlapping ranges, only the one that starts first applies.
    func applied(to bytes: [UInt8]) -> [UInt8] {
        let ordered = edits.sorted {
            ($0.range.lowerBound, -$0.range.upperBound) < ($1.range.lowerBound, -$1.range.upperBound)
        }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var at = 0
        for edit in ordered where edit.range.lowerBound >= at {
            result += bytes[at..<edit.range.lowerBound]
            result += edit.bytes
            at = edit.range.upperBound
        }
        result += bytes[at...]
        return result
    }
}
