import WhorlProtocol

/// Scans the chunked framing of a body, only to find the end of the body (RFC 9112, 7.1).
///
/// A pure state machine. It checks only amounts; the decoder rejects malformed framing.
struct ChunkScanner: Sendable {
    /// The result of scanning a piece of the input.
    enum Verdict: Equatable {
        /// All bytes belong to the body, and the body continues.
        case more
        /// The body ends after this many bytes.
        case ends(after: Int)
        /// The framing is larger than a body may have.
        case endless
    }

    /// Maximum bytes of a chunk-size line with its extensions, and of all trailers together.
    private static let maxLine = 4 << 10
    /// Framing bytes allowed for any body, and further ones for each byte of the body: a chunk of one byte has five.
    private static let maxOverhead = 4 << 10
    private static let maxOverheadPerByte = 8

    private enum State {
        case size(Int)
        case ignoredLine(size: Int)
        case data(left: Int)
        case dataEnd
        case trailer(isEmptyLine: Bool)
    }

    private var state = State.size(0)
    /// Bytes of the current line, or of the trailers.
    private var line = 0
    private var overhead = 0
    private var body = 0

    mutating func scan(_ bytes: some RandomAccessCollection<UInt8>) -> Verdict {
        var place = bytes.startIndex
        while place < bytes.endIndex {
            if case .data(let left) = state {
                let count = min(left, bytes.distance(from: place, to: bytes.endIndex))
                body += count
                place = bytes.index(place, offsetBy: count)
                state = left == count ? .dataEnd : .data(left: left - count)
                continue
            }
            overhead += 1
            line += 1
            let isOver =
                overhead - Self.maxOverhead > body.multipliedReportingOverflow(by: Self.maxOverheadPerByte).partialValue
            if line > Self.maxLine || isOver { return .endless }
            let byte = bytes[place]
            place = bytes.index(after: place)
            if step(byte) { return .ends(after: bytes.distance(from: bytes.startIndex, to: place)) }
        }
        return .more
    }

    /// Consumes one byte of framing; true if it ends the body.
    private mutating func step(_ byte: UInt8) -> Bool {
        let isLineEnd = byte == UInt8(ascii: "\n")
        switch state {
        case .size(let size):
            if isLineEnd {
                begin(size)
            } else if let digit = hexValue(byte) {
                state = .size(min(size << 4 | Int(digit), 1 << 40))
            } else {
                state = .ignoredLine(size: size)
            }
        case .ignoredLine(let size): if isLineEnd { begin(size) }
        case .data: break
        case .dataEnd:
            if isLineEnd {
                line = 0
                state = .size(0)
            }
        case .trailer(let isEmptyLine):
            if isLineEnd, isEmptyLine { return true }
            state = .trailer(isEmptyLine: isLineEnd || isEmptyLine && byte == UInt8(ascii: "\r"))
        }
        return false
    }

    private mutating func begin(_ size: Int) {
        line = 0
        state = size > 0 ? .data(left: size) : .trailer(isEmptyLine: true)
    }
}
