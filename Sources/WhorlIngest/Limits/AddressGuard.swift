import Foundation
import Synchronization
import WhorlProcessing

/// Slows down who guesses keys: an address with too many refused credentials in a minute is refused unseen until the
/// minute is over, unless it comes with a key that is known.
///
/// Bounded.
package final class AddressGuard: Sendable {
    private static let capacity = 50_000

    private struct State {
        var minute = 0
        var failures: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let limit: Int

    /// Lets an address fail so often per minute.
    package init(failuresPerMinute limit: Int) { self.limit = limit }

    /// Seconds until the address is heard again; nil when it is heard.
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

    /// Counts refused credentials.
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
