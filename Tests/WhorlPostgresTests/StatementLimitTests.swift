import Testing

@testable import WhorlPostgres

@Suite("The server's limit of a statement")
struct StatementLimitTests {
    @Test(
        "It lies below the deadline, and is set anew only where it does not fit",
        arguments: [
            (nil, 1_000, 750), (nil, 10_000, 9_750), (nil, 400, 300), (nil, 1, 1), (nil, 0, 1),
            (750, 1_000, nil), (750, 950, nil), (750, 840, 630), (750, 10_000, 9_750), (9_750, 1_000, 750),
        ] as [(Int?, Int, Int?)]
    )
    func changes(current: Int?, left: Int, expected: Int?) {
        #expect(StatementLimit.change(from: current, left: .milliseconds(left)) == expected)
        let limit = expected ?? current ?? 0
        #expect(limit <= max(left, 1))
    }

    @Test("Silence beyond the limit means that the server is away")
    func silence() {
        #expect(StatementLimit.isExceeded(750, after: .milliseconds(1_000)))
        #expect(!StatementLimit.isExceeded(750, after: .milliseconds(400)))
        #expect(StatementLimit.isExceeded(nil, after: .milliseconds(1)))
    }
}
