import Foundation
import Testing
import WhorlIngest
import WhorlTestSupport

@Suite("Decompression")
struct InflateTests {
    private static let text = Array(String(repeating: "the quick brown fox ", count: 500).utf8)

    /// The bytes in a content coding, compressed by Python.
    private func encoded(_ coding: String, _ bytes: [UInt8] = text) async throws -> [UInt8] {
        let folder = try temporaryDirectory("inflate")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/in"))
        let scripts = [
            "gzip": "import gzip; o = gzip.compress(d)", "zlib": "import zlib; o = zlib.compress(d)",
            "raw": "import zlib; c = zlib.compressobj(wbits=-15); o = c.compress(d) + c.flush()",
        ]
        let script =
            "d = open('\(folder)/in', 'rb').read(); \(scripts[coding] ?? ""); open('\(folder)/out', 'wb').write(o)"
        let program = try RunningProgram("/usr/bin/python3", ["-c", script], environment: ["PATH": "/usr/bin:/bin"])
        #expect(try await program.exitStatus() == 0, "\(program.output)")
        return Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/out")))
    }

    @Test("Every coding survives a round trip")
    func roundTrip() async throws {
        let limit = Self.text.count
        #expect(try Inflate.decode(Self.text, .identity, limit: limit) == Self.text)
        let gzip = try await encoded("gzip")
        #expect(try Inflate.decode(gzip, .gzip, limit: limit) == Self.text)
        #expect(try Inflate.decode(await encoded("zlib"), .deflate, limit: limit) == Self.text)
        #expect(try Inflate.decode(await encoded("raw"), .deflate, limit: limit) == Self.text)
        // A body can consist of several gzip members.
        #expect(try Inflate.decode(gzip + gzip, .gzip, limit: 2 * limit) == Self.text + Self.text)
        // A Brotli body that a real SDK sent.
        let capture = try #require(try Capture.all().first { $0.header("content-encoding") == "br" })
        let brotli = try Inflate.decode(capture.body, .brotli, limit: 1 << 20)
        #expect(brotli.first == UInt8(ascii: "{"))
        #expect(throws: Inflate.Failure.tooLarge) { try Inflate.decode(capture.body, .brotli, limit: brotli.count - 1) }
        #expect(throws: Inflate.Failure.damaged) {
            try Inflate.decode(Array(capture.body.dropLast()), .brotli, limit: 1 << 20)
        }
        #expect(throws: Inflate.Failure.damaged) { try Inflate.decode(capture.body + [0], .brotli, limit: 1 << 20) }
    }

    @Test("zstd is decoded within its limits")
    func zstd() throws {
        // `printf '{}' | zstd -1`, and a frame of 1 MiB of zeros.
        let small: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x02, 0x11, 0x00, 0x00, 0x7B, 0x7D]
        #expect(try Inflate.decode(small, .zstd, limit: 2) == Array("{}".utf8))
        #expect(throws: Inflate.Failure.tooLarge) { try Inflate.decode(small, .zstd, limit: 1) }
        #expect(throws: Inflate.Failure.damaged) { try Inflate.decode(Array(small.dropLast()), .zstd, limit: 100) }
        #expect(throws: Inflate.Failure.damaged) { try Inflate.decode([1, 2, 3], .zstd, limit: 100) }
        // A frame that declares a window of 2^41 bytes.
        #expect(throws: Inflate.Failure.self) {
            try Inflate.decode([0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xF8, 0, 0, 0], .zstd, limit: 100)
        }
    }

    @Test("The size limit is exact, whatever size the body declares")
    func bounds() async throws {
        let bomb = try await encoded("gzip", [UInt8](repeating: 0, count: 30_000_000))
        #expect(bomb.count < 40_000)
        #expect(throws: Inflate.Failure.tooLarge) { try Inflate.decode(bomb, .gzip, limit: 29_999_999) }
        #expect(try Inflate.decode(bomb, .gzip, limit: 30_000_000).count == 30_000_000)
        var lying = bomb
        lying.replaceSubrange((lying.count - 4)..., with: [1, 0, 0, 0])
        #expect(throws: Inflate.Failure.self) { try Inflate.decode(lying, .gzip, limit: 1_000_000) }
    }

    @Test("Damaged bodies are refused")
    func damaged() async throws {
        let gzip = try await encoded("gzip")
        for bytes in [Array(gzip.dropLast()), gzip + [1], Array(gzip.dropFirst()), Self.text, []] {
            #expect(throws: Inflate.Failure.damaged) { try Inflate.decode(bytes, .gzip, limit: 1 << 20) }
        }
        var flipped = gzip
        flipped[gzip.count - 6] ^= 1
        #expect(throws: Inflate.Failure.damaged) { try Inflate.decode(flipped, .gzip, limit: 1 << 20) }
    }

    @Test("Every name of a content coding that clients send is recognised")
    func names() throws {
        for (name, coding) in [
            ("", .identity), ("identity", .identity), ("GZIP", .gzip), (" x-gzip ", .gzip), ("deflate", .deflate),
            ("br", .brotli), ("zstd", .zstd),
        ]
            as [(String, Inflate.Coding)]
        {
            #expect(try Inflate.Coding(header: name) == coding)
        }
        for name in ["snappy", "gzip, gzip", "gzip;q=1"] {
            #expect(throws: Inflate.Failure.unknownCoding) { try Inflate.Coding(header: name) }
        }
    }
}
