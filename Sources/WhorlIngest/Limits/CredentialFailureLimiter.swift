import Foundation
import Synchronization
import WhorlProcessing

/// Slows down the guessing of keys.
///
/// An address with too many refused credentials in a minute is refused until the minute is over, except for requests
/// with a known key. The number of tracked addresses is bounded.
package final class CredentialFailureLimiter: Sendable {
    private static let capacity = 50_000

    private struct State {
        var minute = 0
        var failures: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let limit: Int

    /// Creates a guard that allows `limit` refused credentials per address and minute.
    package init(failuresPerMinute limit: Int) { self.limit = limit }

    /// Seconds until requests from the address are accepted again; nil if the address is not blocked.
    func secondsBlocked(_ address: String?, now: Date = Date()) -> Int? {
        guard let address else { return nil }
        let (minute, second) = Self.parts(now)
        return state.withLock { state in
            guard state.minute == minute, state.failures[AddressNetwork.name(address), default: 0] >= limit else {
                return nil
            }
            return 60 - second
        }
    }

    /// Counts refused credentials of an address.
    func failed(_ address: String?, now: Date = Date()) {
        guard let address else { return }
        let (minute, _) = Self.parts(now)
        state.withLock { state in
            if state.minute != minute || state.failures.count >= Self.capacity {
                state.minute = minute
                state.failures = [:]
            }
            state.failures[AddressNetwork.name(address), default: 0] += 1
        }
    }

    private static func parts(_ now: Date) -> (minute: Int, second: Int) {
        let seconds = Int(now.timeIntervalSince1970)
        return (seconds / 60, seconds % 60)
    }
}
