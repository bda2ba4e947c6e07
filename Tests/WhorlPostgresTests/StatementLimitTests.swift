import Testing

@testable import WhorlPostgres

@Suite("Statement timeout of the server")
struct StatementLimitTests {
    @Test(
        "The timeout is below the deadline, and is changed only if the current one does not fit",
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

    @Test("No response after the timeout means that the server is unreachable")
    func silence() {
        #expect(StatementLimit.isExceeded(750, after: .milliseconds(1_000)))
        #expect(!StatementLimit.isExceeded(750, after: .milliseconds(400)))
        #expect(StatementLimit.isExceeded(nil, after: .milliseconds(1)))
    }
}
