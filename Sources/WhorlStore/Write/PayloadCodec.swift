import CWhorlCompression
import WhorlPostgres

/// How payloads are compressed for the table: zstd level 1, without a dictionary.
package enum PayloadCodec {
    /// The number that stands on the row.
    package static let current: Int16 = 0
    /// Stands on a thin row, which has no payload.
    package static let none: Int16 = -1
    /// Level 1 costs a third of level 3's time for a fifth more bytes (33 KB events: 8.9 KB and 7.4 KB).
    private static let level: Int32 = 1
    /// No event is larger than this when it is unpacked; what claims to be is damaged.
    private static let maxSize = 128 << 20

    static func compress(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let size = bytes.withUnsafeBytes {
                ZSTD_compress(buffer.baseAddress, bound, $0.baseAddress, $0.count, level)
            }
            precondition(ZSTD_isError(size) == 0, "zstd refused a buffer of its own bound")
            count = size
        }
    }

    /// The bytes of a payload; throws when they are damaged or of a kind that this program does not know.
    package static func decompress(_ bytes: [UInt8], codec: Int16) throws -> [UInt8] {
        guard codec == current else { throw PostgresError(.decoding, "unknown payload codec \(codec)") }
        let size = ZSTD_getFrameContentSize(bytes, bytes.count)
        guard size <= UInt64(maxSize), let size = Int(exactly: size) else {
            throw PostgresError(.decoding, "a payload is damaged")
        }
        var done = 0
        let result = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            done = ZSTD_decompress(buffer.baseAddress, size, bytes, bytes.count)
            count = ZSTD_isError(done) == 0 ? done : 0
        }
        guard done == size else { throw PostgresError(.decoding, "a payload is damaged") }
        return result
    }
}
