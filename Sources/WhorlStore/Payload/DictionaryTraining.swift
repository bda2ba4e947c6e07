import Foundation
import WhorlPostgres

/// Trains dictionaries from the parts of stored events that SDKs generate: keys and fixed strings (see
/// ``TrainingText``).
package struct DictionaryTraining: Sendable {
    private let pool: PostgresPool
    private let codec: PayloadCodec

    package init(pool: PostgresPool) throws {
        self.pool = pool
        codec = try PayloadCodec(pool: pool)
    }

    /// The description of a stored dictionary.
    package struct Entry: Sendable {
        package let number: Int
        package let bytes: Int
        /// The number of events that it was trained from.
        package let samples: Int
        package let createdAt: Date
    }

    /// The result of a training; sizes are in bytes, for the same events, which were not used for training.
    package struct Result: Sendable {
        package let dictionary: [UInt8]
        package let samples: Int
        package let tested: Int
        package let uncompressed: Int
        package let withoutDictionary: Int
        package let withCurrent: Int
        package let withNew: Int

        /// Whether the new dictionary makes payloads at least 5 % smaller, enough to justify one more dictionary that
        /// must be kept forever.
        package var isBetter: Bool { withNew * 20 <= withCurrent * 19 }
    }

    /// The maximum size of all sample events: about a hundred times a large dictionary.
    private static let maxSampleBytes = 32 << 20
    private static let minSamples = 50
    private static let maxNumber = 1_000

    /// Trains a dictionary of at most `bytes` bytes from the newest events of the newest hashes.
    package func train(bytes: Int, samples: Int) async throws -> Result {
        try await codec.load()
        let events = try await newest(samples)
        // Every fifth event is not used for training, so that it can be used to measure the result.
        let tested = events.enumerated().filter { $0.offset % 5 == 4 }.map(\.element)
        let learned = events.enumerated().filter { $0.offset % 5 != 4 }.compactMap { TrainingText.text(of: $0.element) }
        guard learned.count >= Self.minSamples, let dictionary = PayloadDictionary.train(learned, bytes: bytes) else {
            throw AdministrationError.invalid(
                "the \(events.count) stored events are too few or too different to train a dictionary"
            )
        }
        let new = try PayloadDictionary(number: .max, dictionary)
        func size(_ compress: (ArraySlice<UInt8>) -> Int) -> Int { tested.reduce(0) { $0 + compress($1[...]) } }
        return Result(
            dictionary: dictionary,
            samples: learned.count,
            tested: tested.count,
            uncompressed: size(\.count),
            withoutDictionary: size { codec.compress($0, with: nil).count },
            withCurrent: size { codec.compress($0).payload.count },
            withNew: size { codec.compress($0, with: new).count }
        )
    }

    /// Stores a dictionary; collectors use it within a minute.
    package func keep(_ result: Result) async throws -> Int {
        let rows = try await pool.execute(
            DictionaryStatements.add,
            [result.dictionary.postgresValue, result.samples.postgresValue, Self.maxNumber.postgresValue]
        )
        guard let row = rows.first else { throw AdministrationError.invalid("there are too many dictionaries") }
        return Int(try row.read("id", as: Int16.self))
    }

    /// The dictionaries of the database, oldest first.
    package func list() async throws -> [Entry] {
        try await pool.execute(DictionaryStatements.list)
            .map { row in
                Entry(
                    number: Int(try row.read("id", as: Int16.self)),
                    bytes: try row.read("bytes"),
                    samples: try row.read("samples"),
                    createdAt: try row.read("created_at")
                )
            }
    }

    private func newest(_ count: Int) async throws -> [[UInt8]] {
        var events: [[UInt8]] = []
        var held = 0
        for row in try await pool.execute(
            DictionaryStatements.sample,
            [count.postgresValue],
            timeout: .seconds(60)
        ) where held < Self.maxSampleBytes {
            let number: Int16 = try row.read("payload_codec")
            try await codec.loadMissingDictionaries([number])
            events.append(try codec.decompress(row.read("payload"), codec: number))
            held += events.last?.count ?? 0
        }
        return events
    }
}

enum DictionaryStatements {
    static let all = [load, add, list, sample]

    static let load = PostgresStatement(
        "load_dictionaries",
        "SELECT id, dictionary FROM payload_dictionary WHERE id <> ALL ($1) ORDER BY id",
        [PostgresType.int8.array]
    )

    static let add = PostgresStatement(
        "add_dictionary",
        """
        INSERT INTO payload_dictionary (id, dictionary, samples)
        SELECT greatest(coalesce(max(id), 0) + 1, 100), $1, $2 FROM payload_dictionary
        HAVING coalesce(max(id), 0) < $3
        RETURNING id
        """,
        [.bytea, .int8, .int8]
    )

    static let list = PostgresStatement(
        "list_dictionaries",
        "SELECT id, length(dictionary)::int8 AS bytes, samples::int8, created_at FROM payload_dictionary ORDER BY id"
    )

    /// Selects up to four events of each of the newest hashes, so that a few busy issues do not dominate.
    static let sample = PostgresStatement(
        "sample_payloads",
        """
        SELECT e.payload_codec, e.payload
        FROM (
            SELECT project_id, id FROM grouping_hash ORDER BY id DESC LIMIT $1
        ) AS h, LATERAL (
            SELECT s.payload_codec, s.payload FROM event s
            WHERE s.project_id = h.project_id AND s.hash_id = h.id AND s.payload_codec >= 0
            ORDER BY s.occurred_at DESC
            LIMIT 4
        ) AS e
        LIMIT $1
        """,
        [.int8]
    )
}
