/// Checks a condition every 50 ms until it holds or `limit` has passed, for effects of another program.
///
/// Returns whether the condition held.
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
