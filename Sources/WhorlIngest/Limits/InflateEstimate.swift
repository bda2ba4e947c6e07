extension Inflate {
    /// How many bytes decoding a body may take at most, to be set aside for it beforehand.
    ///
    /// By what the body says of itself where its coding has it say so, else by what bodies of its size come to; never
    /// more than the bound.
    static func estimate(_ bytes: [UInt8], _ header: String?, limit: Int) -> Int {
        guard let coding = try? Coding(header: header), coding != .identity else { return min(bytes.count, limit) }
        var size = bytes.count.saturatingMultiply(16)
        if coding == .gzip, bytes.count >= 18 {
            let tail = bytes[(bytes.count - 4)...].reversed().reduce(0) { $0 << 8 | Int($1) }
            // Of a body that lies about itself, everything may come.
            size = tail < bytes.count.saturatingMultiply(1_032) ? max(tail, bytes.count) : limit
        } else if bytes.count > 64 << 10 {
            size = limit
        }
        // A little more, since a header may stand in a member of its own.
        return min(size.saturatingAdd(64 << 10), limit)
    }
}
