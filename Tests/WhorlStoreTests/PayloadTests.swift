import Foundation
import Testing
import WhorlPostgres
import WhorlTestSupport

@testable import WhorlStore

@Suite("Payload compression")
struct PayloadTests {
    /// An event of an SDK that is not in the training data of the shipped dictionary.
    ///
    /// All texts of the application contain a marker.
    private func payload(_ number: Int) -> [UInt8] {
        let integrations = (0..<30).map { "\"AcmeIntegration\(($0 * 7 + number) % 40)Hook\"" }
        let frames = (0..<3)
            .map { "{\"function\":\"\(Self.marker)\($0)\",\"lineno\":\(number),\"vars\":{\"\(Self.marker)\":1}}" }
        return Array(
            """
            {"platform":"acme","sdk":{"name":"acme.sdk.for.tests","integrations":[\(integrations.joined(separator: ","))]},
            "message":"\(Self.marker)","extra":{"sdk":{"name":"\(Self.marker)"}},"\(Self.marker)":true,
            "contexts":{"\(Self.marker)":{"name":"x"}},"exception":{"values":[{"type":"\(Self.marker)","mechanism":
            {"type":"acme.hook","data":{"name":"\(Self.marker)"}},"stacktrace":{"frames":[\(frames.joined(separator: ","))]}}]}}
            """
            .utf8
        )
    }

    private static let marker = "Quokka"

    @Test("The training text of an event contains only protocol keys and strings of the SDK")
    func trainingText() throws {
        let text = String(decoding: try #require(TrainingText.text(of: payload(3))), as: UTF8.self)
        #expect(!text.contains(Self.marker))
        for kept in ["acme.sdk.for.tests", "AcmeIntegration", "acme.hook", "\"function\":", "\"lineno\":"] {
            #expect(text.contains(kept), "\(kept)")
        }
        #expect(TrainingText.text(of: Array("[1]".utf8)) == nil)
        #expect(TrainingText.text(of: [0xff]) == nil)
    }

    @Test("Payloads of any size survive a round trip, also without a codec", arguments: [0, 1, 100, 5_000, 3_000_000])
    func roundTrip(size: Int) async throws {
        try await withPool { pool, _ in
            let codec = try PayloadCodec(pool: pool)
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
            let (number, payload) = codec.compress(bytes[...])
            #expect(number == 1)
            #expect(try codec.decompress(payload, codec: number) == bytes)
            #expect(try codec.decompress(codec.compress(bytes[...], with: nil), codec: 0) == bytes)
        }
    }

    @Test("Damaged payloads and unknown dictionaries cause errors")
    func damaged() async throws {
        try await withPool { pool, _ in
            let codec = try PayloadCodec(pool: pool)
            let (number, payload) = codec.compress(payload(1)[...])
            #expect(throws: PostgresError.self) { try codec.decompress(payload, codec: 100) }
            #expect(throws: PostgresError.self) { try codec.decompress(payload, codec: 0) }
            for place in stride(from: 0, to: payload.count, by: 7) {
                var changed = payload
                changed[place] ^= 0x55
                // A changed payload can still be a valid frame of its declared size.
                _ = try? codec.decompress(changed, codec: number)
            }
            #expect(throws: PostgresError.self) { try codec.decompress([], codec: number) }
        }
    }

    @Test("A dictionary is trained from stored events, used after loading, and loaded on demand for reading")
    func training() async throws {
        try await withPool { pool, _ in
            try await Partitions(pool: pool).createAhead(of: Date())
            let old = try PayloadCodec(pool: pool)
            try await store(old, pool, count: 400)
            let training = try DictionaryTraining(pool: pool)
            let result = try await training.train(bytes: 16_384, samples: 1_000)
            #expect(result.samples + result.tested == 400)
            #expect(result.isBetter && result.withNew < result.withoutDictionary)
            #expect(!String(decoding: result.dictionary, as: UTF8.self).contains(Self.marker))
            let number = try await training.keep(result)
            #expect(number == 100)
            let listed = try await training.list()
            #expect(listed.map(\.number) == [100])

            let new = try PayloadCodec(pool: pool)
            try await new.load()
            let (codec, compressed) = new.compress(payload(5)[...])
            #expect(codec == 100)
            // A codec that has not loaded the dictionary loads it on demand.
            #expect(throws: PostgresError.self) { try old.decompress(compressed, codec: codec) }
            try await old.loadMissingDictionaries([codec])
            #expect(try old.decompress(compressed, codec: codec) == payload(5))
        }
    }

    @Test("Training with too few events fails")
    func tooFew() async throws {
        try await withPool { pool, _ in
            try await Partitions(pool: pool).createAhead(of: Date())
            try await store(PayloadCodec(pool: pool), pool, count: 20)
            await #expect(throws: AdministrationError.self) {
                _ = try await DictionaryTraining(pool: pool).train(bytes: 16_384, samples: 1_000)
            }
        }
    }

    private func store(_ codec: PayloadCodec, _ pool: PostgresPool, count: Int) async throws {
        for number in 0..<count {
            let (codec, payload) = codec.compress(payload(number)[...])
            let sql: SQLFragment =
                """
                WITH hash AS (
                    INSERT INTO grouping_hash (project_id, id, hash, issue_id, home_issue_id)
                    SELECT 1, nextval('hash_id_sequence'), uuid_send(gen_random_uuid()), 1, 1 RETURNING id
                )
                INSERT INTO event (project_id, event_id, received_day, received_at, occurred_at, hash_id,
                    environment_id, level, title, tags, payload_codec, payload)
                SELECT 1, gen_random_uuid(), (now() AT TIME ZONE 'UTC')::date, now(), now(), id, 1, 4, 't', '{}',
                    \(codec)::smallint, \(payload)
                FROM hash
                """
            _ = try await pool.execute(sql, operation: "test")
        }
    }
}
