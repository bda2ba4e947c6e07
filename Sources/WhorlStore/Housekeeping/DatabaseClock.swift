import Foundation
import WhorlPostgres

/// The database's time, for decisions that remove something: a collector whose clock is wrong must not remove data.
package struct DatabaseClock: Sendable {
    /// How far the clocks of collector and database may differ before nothing is removed.
    package static let maxDifference: TimeInterval = 3_600

    /// Why there is no time to go by.
    package struct ClocksDiffer: Error, CustomStringConvertible {
        package let seconds: Int
        package var description: String {
            "the clocks of the collector and the database differ by \(seconds) s: nothing is removed until they agree"
        }
    }

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The database's time; throws when ours differs, since one of the two is wrong.
    package func agreed() async throws -> Date {
        guard let now = try await pool.execute(ClockStatements.time).first?.read("now", as: Date.self) else {
            throw PostgresError(.decoding, "the database tells no time")
        }
        try Self.check(now, against: Date())
        return now
    }

    /// The same; nil when there is none to go by.
    package func now() async -> Date? { try? await agreed() }

    /// Throws when two clocks differ by over an hour.
    package static func check(_ database: Date, against collector: Date) throws {
        let difference = abs(database.timeIntervalSince(collector))
        guard difference <= maxDifference else { throw ClocksDiffer(seconds: Int(min(difference, 1e12))) }
    }
}

enum ClockStatements {
    static let all = [time]

    static let time = PostgresStatement("clock", "SELECT clock_timestamp() AS now")
}
