import CWhorlCompression
import Logging
import ServiceLifecycle
import Synchronization
import WhorlPostgres
import WhorlServices

/// The compression of stored payloads: zstd level 1 with a dictionary, whose number is stored in the row.
///
/// New events are compressed with the newest dictionary; all other dictionaries remain readable. `run()` checks once a
/// minute whether another collector or a command has added one.
package final class PayloadCodec: Service, Sendable {
    /// The codec number of a row without payload.
    package static let none: Int16 = -1
    /// The codec number of a row that was compressed without a dictionary.
    private static let plain: Int16 = 0
    /// Level 1 takes a third of the time of level 3 and produces a fifth more bytes (33 KB events: 8.9 KB and 7.4 KB).
    static let level: Int32 = 1
    /// The maximum size of an uncompressed event; a payload that claims to be larger is damaged.
    private static let maxSize = 128 << 20
    private static let interval = Duration.seconds(60)

    private struct State {
        var dictionaries: [Int16: PayloadDictionary] = [:]
        var current: PayloadDictionary?
    }

    private let pool: PostgresPool
    private let state: Mutex<State>
    private let contexts = CompressionContexts()

    /// Makes a codec with the built-in dictionary; ``load()`` adds those of the database.
    package init(pool: PostgresPool) throws {
        self.pool = pool
        let shipped = try PayloadDictionary.shipped()
        state = Mutex(State(dictionaries: [shipped.number: shipped], current: shipped))
    }

    package func run() async throws {
        await PeriodicService(every: Self.interval) { try? await self.load() }.run()
    }

    /// Loads the dictionaries that are not in memory yet.
    package func load() async throws {
        let known = state.withLock { $0.dictionaries.keys.map { Int($0) } }
        for row in try await pool.execute(DictionaryStatements.load, [.array(of: known)]) {
            let number: Int16 = try row.read("id")
            try add(PayloadDictionary(number: number, row.read("dictionary")))
        }
    }

    func add(_ dictionary: PayloadDictionary) {
        state.withLock { state in
            state.dictionaries[dictionary.number] = dictionary
            if dictionary.number > state.current?.number ?? 0 { state.current = dictionary }
        }
    }

    /// Loads missing dictionaries, so that rows with these codec numbers can be read.
    func loadMissingDictionaries(_ codecs: some Sequence<Int16>) async throws {
        let isKnown = state.withLock { state in
            codecs.allSatisfy { $0 <= Self.plain || state.dictionaries[$0] != nil }
        }
        if !isKnown { try await load() }
    }

    /// Compresses a payload; also returns the codec number for its row.
    package func compress(_ bytes: ArraySlice<UInt8>) -> (codec: Int16, payload: [UInt8]) {
        let dictionary = state.withLock(\.current)
        return (dictionary?.number ?? Self.plain, compress(bytes, with: dictionary))
    }

    package func compress(_ bytes: ArraySlice<UInt8>, with dictionary: PayloadDictionary?) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let size = contexts.withCompression { context in
                bytes.withUnsafeBytes { source in
                    if let dictionary {
                        ZSTD_compress_usingCDict(
                            context,
                            buffer.baseAddress,
                            bound,
                            source.baseAddress,
                            source.count,
                            dictionary.forCompression
                        )
                    } else {
                        ZSTD_compressCCtx(
                            context,
                            buffer.baseAddress,
                            bound,
                            source.baseAddress,
                            source.count,
                            Self.level
                        )
                    }
                }
            }
            precondition(ZSTD_isError(size) == 0, "zstd failed with a buffer of its own bound")
            count = size
        }
    }

    /// Decompresses a payload; throws when it is damaged or its dictionary is unknown.
    package func decompress(_ bytes: [UInt8], codec: Int16) throws -> [UInt8] {
        let dictionary = state.withLock { $0.dictionaries[codec] }
        guard dictionary != nil || codec == Self.plain else {
            throw PostgresError(.decoding, "unknown payload dictionary \(codec)")
        }
        let size = ZSTD_getFrameContentSize(bytes, bytes.count)
        guard size <= UInt64(Self.maxSize), let size = Int(exactly: size) else {
            throw PostgresError(.decoding, "a payload is damaged")
        }
        var done = 0
        let result = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            done = contexts.withDecompression { context in
                ZSTD_decompress_usingDDict(
                    context,
                    buffer.baseAddress,
                    size,
                    bytes,
                    bytes.count,
                    dictionary?.forDecompression
                )
            }
            count = ZSTD_isError(done) == 0 ? done : 0
        }
        guard done == size else { throw PostgresError(.decoding, "a payload is damaged") }
        return result
    }
}

/// A pool of zstd contexts: creating one for each payload costs more than compressing a small payload.
private final class CompressionContexts: Sendable {
    /// The maximum number of pooled contexts; when more threads compress at once, additional contexts are freed after
    /// use.
    private static let kept = 8

    private struct Free: @unchecked Sendable {
        var compression: [OpaquePointer] = []
        var decompression: [OpaquePointer] = []
    }

    private let free = Mutex(Free())

    deinit {
        free.withLock { free in
            for context in free.compression { ZSTD_freeCCtx(context) }
            for context in free.decompression { ZSTD_freeDCtx(context) }
        }
    }

    func withCompression(_ body: (OpaquePointer) -> Int) -> Int {
        guard let context = free.withLock({ $0.compression.popLast() }) ?? ZSTD_createCCtx() else {
            preconditionFailure("no memory for zstd")
        }
        let result = body(context)
        let isKept = free.withLock { free in
            guard free.compression.count < Self.kept else { return false }
            free.compression.append(context)
            return true
        }
        if !isKept { ZSTD_freeCCtx(context) }
        return result
    }

    func withDecompression(_ body: (OpaquePointer) -> Int) -> Int {
        guard let context = free.withLock({ $0.decompression.popLast() }) ?? ZSTD_createDCtx() else {
            preconditionFailure("no memory for zstd")
        }
        let result = body(context)
        let isKept = free.withLock { free in
            guard free.decompression.count < Self.kept else { return false }
            free.decompression.append(context)
            return true
        }
        if !isKept { ZSTD_freeDCtx(context) }
        return result
    }
}
