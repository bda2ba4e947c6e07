import CWhorlCompression

extension Inflate {
    /// How many bytes to set aside at first for decoding a body.
    ///
    /// What the coding says of the size where it does, else what bodies of its size usually come to, and not more than
    /// 4 MiB: a body that is larger asks for more. Never more than the bound.
    static func estimate(_ bytes: [UInt8], _ coding: Coding, limit: Int) -> Int {
        var size = bytes.count
        switch coding {
        case .identity: break
        case .gzip:
            // The last four bytes say how large the last member is, modulo 2^32.
            let tail = bytes.count >= 18 ? bytes[(bytes.count - 4)...].reversed().reduce(0) { $0 << 8 | Int($1) } : 0
            size = min(max(tail, size), firstStep)
        case .zstd:
            let frame = ZSTD_getFrameContentSize(bytes, bytes.count)
            // Two values at the top stand for unknown and for damaged.
            size = min(frame < 1 << 40 ? Int(frame) : size.saturatingMultiply(8), firstStep)
        case .deflate, .brotli: size = min(size.saturatingMultiply(8), firstStep)
        }
        return min(size.saturatingAdd(slack), limit)
    }

    /// What is set aside beyond the likely size, since a header may stand in a member of its own.
    static let slack = 64 << 10

    /// How large a body of so many bytes may become.
    ///
    /// DEFLATE makes at most 1,032 bytes of one (RFC 1951: 258 bytes of two bits); other codings make half a million, so
    /// that a packet would cost as much as a large body. What is small anyway may expand as it likes.
    static func limit(ofReceived bytes: Int) -> Int { max(bytes.saturatingMultiply(1_100), 256 << 10) }

    /// What a coding may claim at once.
    private static let firstStep = 4 << 20
}
