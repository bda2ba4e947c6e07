import CWhorlCompression

/// Decodes the content encoding of a request body, up to a size limit.
///
/// Only one encoding is decoded. The whole body is decoded in memory, so the limit is exact and applies during
/// decoding.
public enum Inflate {
    /// Why a body could not be decoded.
    public enum Failure: Error, Sendable, Equatable {
        /// The content encoding is not supported.
        case unknownCoding
        /// The decoded body would be larger than the limit.
        case tooLarge
        /// The body is truncated, damaged, or followed by other bytes.
        case damaged
    }

    /// The content encodings that clients use.
    public enum Coding: Sendable, Equatable {
        /// No encoding.
        case identity
        /// RFC 1952, any number of members.
        case gzip
        /// RFC 1950, or the raw stream of RFC 1951 that some clients send under this name.
        case deflate
        /// RFC 7932.
        case brotli
        /// RFC 8878.
        case zstd

        /// Parses the `Content-Encoding` header; a missing or empty one means identity.
        ///
        /// A list of several encodings is rejected.
        public init(header: String?) throws(Failure) {
            switch header?.trimmingBlanks().lowercased() {
            case nil, "", "identity": self = .identity
            case "gzip", "x-gzip": self = .gzip
            case "deflate": self = .deflate
            case "br": self = .brotli
            case "zstd": self = .zstd
            default: throw .unknownCoding
            }
        }
    }

    /// The largest accepted zstd window: 2^27 bytes, the default limit of the `zstd` tool.
    private static let maxZstdWindowLog: Int32 = 27

    /// The decoded body, at most `limit` bytes.
    public static func decode(_ bytes: [UInt8], _ coding: Coding, limit: Int) throws(Failure) -> [UInt8] {
        switch coding {
        case .identity:
            guard bytes.count <= limit else { throw .tooLarge }
            return bytes
        case .gzip: return try gzip(bytes, limit)
        case .deflate: return try deflate(bytes, limit)
        case .brotli: return try brotli(bytes, limit)
        case .zstd: return try zstd(bytes, limit)
        }
    }

    // MARK: - libdeflate

    private typealias OneShot = (
        OpaquePointer, UnsafeRawPointer, Int, UnsafeMutableRawPointer, Int, UnsafeMutablePointer<Int>,
        UnsafeMutablePointer<Int>
    ) -> libdeflate_result

    private static func gzip(_ bytes: [UInt8], _ limit: Int) throws(Failure) -> [UInt8] {
        // The last four bytes are the size of the last member modulo 2^32. They are only a hint, used if within the
        // limit.
        var hint = bytes.count * 4
        if bytes.count >= 18 {
            let tail = bytes[(bytes.count - 4)...].reversed().reduce(0) { $0 << 8 | Int($1) }
            if tail < limit { hint = max(tail, 64) }
        }
        return try members(bytes, limit, hint: hint) { libdeflate_gzip_decompress_ex($0, $1, $2, $3, $4, $5, $6) }
    }

    private static func deflate(_ bytes: [UInt8], _ limit: Int) throws(Failure) -> [UInt8] {
        do {
            return try members(bytes, limit, hint: bytes.count * 4) {
                libdeflate_zlib_decompress_ex($0, $1, $2, $3, $4, $5, $6)
            }
        } catch .damaged {
            return try members(bytes, limit, hint: bytes.count * 4) {
                libdeflate_deflate_decompress_ex($0, $1, $2, $3, $4, $5, $6)
            }
        }
    }

    /// Decodes one member after another until the input is consumed.
    ///
    /// The output is decoded directly into an array of the hinted size. If that is too small, everything is decoded
    /// again into a larger array: unwritten pages take no memory, but growing an array by copying does.
    private static func members(
        _ bytes: [UInt8],
        _ limit: Int,
        hint: Int,
        _ decode: OneShot
    ) throws(Failure) -> [UInt8] {
        guard !bytes.isEmpty, let decompressor = libdeflate_alloc_decompressor() else { throw .damaged }
        defer { libdeflate_free_decompressor(decompressor) }
        var capacity = min(max(hint, 1_024), limit)
        while true {
            var result = LIBDEFLATE_BAD_DATA
            let output = [UInt8](unsafeUninitializedCapacity: max(capacity, 1)) { buffer, count in
                result = members(bytes, into: buffer, capacity, &count, decompressor, decode)
            }
            switch result {
            case LIBDEFLATE_SUCCESS: return output
            case LIBDEFLATE_INSUFFICIENT_SPACE:
                guard capacity < limit else { throw .tooLarge }
                capacity = min(capacity * 4, limit)
            default: throw .damaged
            }
        }
    }

    private static func members(
        _ bytes: [UInt8],
        into output: UnsafeMutableBufferPointer<UInt8>,
        _ capacity: Int,
        _ count: inout Int,
        _ decompressor: OpaquePointer,
        _ decode: OneShot
    ) -> libdeflate_result {
        bytes.withUnsafeBytes { input in
            guard let from = input.baseAddress, let base = output.baseAddress else { return LIBDEFLATE_BAD_DATA }
            var used = 0
            while used < bytes.count {
                var consumed = 0
                var produced = 0
                let result = decode(
                    decompressor,
                    from + used,
                    bytes.count - used,
                    base + count,
                    capacity - count,
                    &consumed,
                    &produced
                )
                guard result == LIBDEFLATE_SUCCESS else { return result }
                guard consumed > 0 else { return LIBDEFLATE_BAD_DATA }
                used += consumed
                count += produced
            }
            return LIBDEFLATE_SUCCESS
        }
    }

    // MARK: - Streams

    private static func brotli(_ bytes: [UInt8], _ limit: Int) throws(Failure) -> [UInt8] {
        guard let state = BrotliDecoderCreateInstance(nil, nil, nil) else { throw .damaged }
        defer { BrotliDecoderDestroyInstance(state) }
        // Unwritten pages take no memory. Growing the array by copying would take three times the size.
        var output: [UInt8] = []
        output.reserveCapacity(limit)
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var result = BROTLI_DECODER_RESULT_ERROR
        var isTooLarge = false
        let isUsedUp = bytes.withUnsafeBufferPointer { input -> Bool in
            var next = input.baseAddress
            var available = input.count
            repeat {
                let before = available
                let produced = chunk.withUnsafeMutableBufferPointer { buffer -> Int in
                    var to = buffer.baseAddress
                    var room = buffer.count
                    result = BrotliDecoderDecompressStream(state, &available, &next, &room, &to, nil)
                    return buffer.count - room
                }
                output.append(contentsOf: chunk[..<produced])
                isTooLarge = output.count > limit
                // A step that neither reads nor writes would repeat forever.
                if produced == 0, available == before, result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT {
                    return false
                }
            } while result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && !isTooLarge
            return available == 0
        }
        if isTooLarge { throw .tooLarge }
        guard result == BROTLI_DECODER_RESULT_SUCCESS, isUsedUp else { throw .damaged }
        return output
    }

    private static func zstd(_ bytes: [UInt8], _ limit: Int) throws(Failure) -> [UInt8] {
        guard !bytes.isEmpty, let context = ZSTD_createDCtx() else { throw .damaged }
        defer { ZSTD_freeDCtx(context) }
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, maxZstdWindowLog)
        // Unwritten pages take no memory. Growing the array by copying would take three times the size.
        var output: [UInt8] = []
        output.reserveCapacity(limit)
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var failure: Failure?
        bytes.withUnsafeBytes { source in
            var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
            var isFrameDone = false
            while input.pos < input.size || !isFrameDone {
                let before = input.pos
                var result = 0
                let produced = chunk.withUnsafeMutableBytes { buffer -> Int in
                    var out = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
                    result = ZSTD_decompressStream(context, &out, &input)
                    return out.pos
                }
                if ZSTD_isError(result) != 0 {
                    let isWindow = ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge
                    failure = isWindow ? .tooLarge : .damaged
                    return
                }
                output.append(contentsOf: chunk[..<produced])
                if output.count > limit {
                    failure = .tooLarge
                    return
                }
                isFrameDone = result == 0
                if produced == 0, input.pos == before, !isFrameDone {
                    failure = .damaged
                    return
                }
            }
        }
        if let failure { throw failure }
        return output
    }
}

extension String {
    func trimmingBlanks() -> String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
