/// Asks again and again until the answer is yes, at most until the deadline: for what another program does in its own time.
package func eventually(
    within limit: Duration = .seconds(20),
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while true {
        if try await condition() { return true }
        guard clock.now < deadline else { return false }
        try await clock.sleep(for: .milliseconds(50))
    }
}
