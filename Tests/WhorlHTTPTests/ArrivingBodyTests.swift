import Testing

@testable import WhorlHTTP

@Suite struct ArrivingBodyTests {
    @Test(
        "Memory for a body grows with the received bytes, not with the declared length",
        arguments: [
            (0, 20 << 20, 4_096), (1_000, 20 << 20, 4_096), (4_097, 20 << 20, 64 << 10), (10, 100, 100),
            (65_000, 70_000, 65_536),
            (65_537, 20 << 20, 1 << 20), (65_537, 70_000, 70_000), (65_537, nil, 131_074),
            (1_048_577, 20 << 20, 20 << 20), (1_048_577, nil, 20 << 20), (20 << 20, nil, 20 << 20),
        ] as [(Int, Int?, Int)]
    )
    func steps(size: Int, declared: Int?, expected: Int) {
        #expect(ArrivingBody.step(for: size, declared: declared, limit: 20 << 20) == expected)
    }
}
