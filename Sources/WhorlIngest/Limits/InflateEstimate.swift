import CWhorlCompression

extension Inflate {
    /// The number of bytes to reserve first for decoding a body.
    ///
    /// This is the size that the encoding declares or, if it declares none, the usual decoded size of a body of this
    /// length. It is at most 4 MiB plus the slack, since a larger body reserves more later, and never more than the
    /// limit.
    static func estimate(_ bytes: [UInt8], _ coding: Coding, limit: Int) -> Int {
        var size = bytes.count
        switch coding {
        case .identity: break
        case .gzip:
            // The last four bytes are the size of the last member modulo 2^32.
            let tail = bytes.count >= 18 ? bytes[(bytes.count - 4)...].reversed().reduce(0) { $0 << 8 | Int($1) } : 0
            size = min(max(tail, size), firstStep)
        case .zstd:
            let frame = ZSTD_getFrameContentSize(bytes, bytes.count)
            // The two largest values mean an unknown size and a damaged frame.
            size = min(frame < 1 << 40 ? Int(frame) : size.saturatingMultiply(8), firstStep)
        case .deflate, .brotli: size = min(size.saturatingMultiply(8), firstStep)
        }
        return min(size.saturatingAdd(slack), limit)
    }

    /// Bytes reserved beyond the estimate, because a header may be in a member of its own.
    static let slack = 64 << 10

    /// The maximum decoded size of a body of `bytes` received bytes.
    ///
    /// DEFLATE expands one byte to at most 1,032 bytes (RFC 1951: 258 bytes from two bits). Other codings expand one
    /// byte to up to half a million, so a single packet would cost as much as a large body. Bodies that decode to at
    /// most 256 KiB are always accepted.
    static func limit(ofReceived bytes: Int) -> Int { max(bytes.saturatingMultiply(1_100), 256 << 10) }

    /// The maximum estimate for the first reservation.
    private static let firstStep = 4 << 20
}
