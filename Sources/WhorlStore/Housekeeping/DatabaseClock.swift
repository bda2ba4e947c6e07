import Foundation
import WhorlPostgres

/// The database's time, for operations that remove data: a collector with a wrong clock must not remove any.
package struct DatabaseClock: Sendable {
    /// The largest difference between the clocks of collector and database at which data is still removed.
    package static let maxDifference: TimeInterval = 3_600

    /// The error for clocks that differ by more than ``maxDifference``.
    package struct ClocksDiffer: Error, CustomStringConvertible {
        package let seconds: Int
        package var description: String {
            "the clocks of the collector and the database differ by \(seconds) s: nothing is removed until they agree"
        }
    }

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The database's time; throws when the collector's clock differs, because one of the two is wrong.
    package func agreed() async throws -> Date {
        guard let now = try await pool.execute(ClockStatements.time).first?.read("now", as: Date.self) else {
            throw PostgresError(.decoding, "the database returned no time")
        }
        try Self.check(now, against: Date())
        return now
    }

    /// The database's time; nil when it is not available or the clocks differ.
    package func now() async -> Date? { try? await agreed() }

    /// Throws when two clocks differ by more than an hour.
    package static func check(_ database: Date, against collector: Date) throws {
        let difference = abs(database.timeIntervalSince(collector))
        guard difference <= maxDifference else { throw ClocksDiffer(seconds: Int(min(difference, 1e12))) }
    }
}

enum ClockStatements {
    static let all = [time]

    static let time = PostgresStatement("clock", "SELECT clock_timestamp() AS now")
}
