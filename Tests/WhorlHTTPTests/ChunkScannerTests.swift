import Testing

@testable import WhorlHTTP

@Suite struct ChunkScannerTests {
    @Test(
        "The scanner finds the end of a chunked body, whole or byte by byte",
        arguments: [
            ("3\r\n{}\n\r\n0\r\n\r\nGET", .ends(after: 13)), ("3\r\n{}\n\r\n", .more), ("", .more),
            ("0\r\n\r\n", .ends(after: 5)), ("0\n\n", .ends(after: 3)),
            ("0;a=b\r\nX: 1\r\nY: 2\r\n\r\n!", .ends(after: 21)),
            ("A\r\n0123456789\r\n0\r\n\r\n", .ends(after: 20)),
            (String(repeating: "0", count: 5_000), .endless), ("3;" + String(repeating: "a", count: 4_100), .endless),
            ("0\r\n" + String(repeating: "X: 1\r\n", count: 1_000), .endless),
            (String(repeating: "1;" + String(repeating: "a", count: 100) + "\r\n \r\n", count: 100), .endless),
            (String(repeating: "1\r\n \r\n", count: 10_000), .more),
        ] as [(String, ChunkScanner.Verdict)]
    )
    func chunks(_ text: String, _ expected: ChunkScanner.Verdict) {
        let bytes = Array(text.utf8)
        var whole = ChunkScanner()
        #expect(whole.scan(bytes) == expected)
        var pieces = ChunkScanner()
        var verdict = ChunkScanner.Verdict.more
        for (place, byte) in bytes.enumerated() where verdict == .more {
            verdict = pieces.scan(CollectionOfOne(byte))
            if verdict == .ends(after: 1) { verdict = .ends(after: place + 1) }
        }
        #expect(verdict == expected)
    }
}
