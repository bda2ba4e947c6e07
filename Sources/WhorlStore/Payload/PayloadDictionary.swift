import CWhorlCompression
import CWhorlDictionary
import WhorlPostgres

/// A zstd dictionary with the common content of events, prepared for compression and decompression.
package final class PayloadDictionary: @unchecked Sendable {
    // Only read after `init`; zstd allows that from any thread.
    let forCompression: OpaquePointer
    let forDecompression: OpaquePointer
    /// The codec number of rows that use this dictionary.
    let number: Int16

    /// Prepares a dictionary; throws when the bytes are not one.
    init(number: Int16, _ bytes: [UInt8]) throws {
        guard ZDICT_getDictID(bytes, bytes.count) != 0,
            let forCompression = ZSTD_createCDict(bytes, bytes.count, PayloadCodec.level),
            let forDecompression = ZSTD_createDDict(bytes, bytes.count)
        else { throw PostgresError(.decoding, "payload dictionary \(number) is damaged") }
        self.number = number
        self.forCompression = forCompression
        self.forDecompression = forDecompression
    }

    deinit {
        ZSTD_freeCDict(forCompression)
        ZSTD_freeDDict(forDecompression)
    }

    /// The built-in dictionary.
    static func shipped() throws -> PayloadDictionary {
        var size = 0
        let start = whorl_dictionary_1(&size)
        return try PayloadDictionary(number: 1, Array(UnsafeBufferPointer(start: start, count: size)))
    }

    /// Trains a dictionary from samples; nil when there are too few, or they have too little in common.
    static func train(_ samples: [[UInt8]], bytes: Int) -> [UInt8]? {
        let joined = Array(samples.joined())
        let sizes = samples.map(\.count)
        var size = 0
        let dictionary = [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            size = ZDICT_trainFromBuffer(buffer.baseAddress, bytes, joined, sizes, UInt32(sizes.count))
            count = ZDICT_isError(size) == 0 ? size : 0
        }
        return dictionary.isEmpty ? nil : dictionary
    }
}
