import WhorlProtocol

/// Reads the framing of a body in chunks, only to know how many bytes of it there are (RFC 9112, 7.1).
///
/// A pure state machine. It judges nothing but amounts: what is malformed the decoder refuses.
struct ChunkScanner: Sendable {
    /// What the bytes of a piece came to.
    enum Verdict: Equatable {
        /// All of them belong to the body, which goes on.
        case more
        /// The body ends after so many of them.
        case ends(after: Int)
        /// There is more framing than a body may have.
        case endless
    }

    /// Bytes of a chunk-size line with its extensions, and of all trailers together.
    private static let maxLine = 4 << 10
    /// Bytes of framing that any body may have, and further ones for each byte of the body: a chunk of one byte has five.
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
    /// Bytes of the line, or of the trailers.
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

    /// Takes one byte that is no data; true when it ends the body.
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
