import Foundation
import WhorlPostgres

/// The limits that all collectors share: each part of a limit is granted to one collector only.
package struct Budgets: Sendable {
    /// A part of a limit that a collector requests.
    package struct Request: Sendable {
        let scope: String
        /// Unix time in seconds.
        let windowStart: Int
        let amount: Int
        let limit: Int

        package init(scope: String, windowStart: Int, amount: Int, limit: Int) {
            self.scope = scope
            self.windowStart = windowStart
            self.amount = amount
            self.limit = limit
        }
    }

    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// The amounts that are granted for the requests, in the same order.
    package func lend(_ requests: [Request]) async throws -> [Int] {
        let scopes = PostgresValue.array(of: requests.map(\.scope))
        let starts = PostgresValue.array(of: requests.map { Date(timeIntervalSince1970: Double($0.windowStart)) })
        let rows = try await pool.transaction("lend_budget") { connection, deadline in
            _ = try await connection.execute(BudgetStatements.begin, [scopes, starts], deadline: deadline)
            let held = try await connection.execute(BudgetStatements.lock, [scopes, starts], deadline: deadline)
            _ = try await connection.execute(
                BudgetStatements.lend,
                [scopes, starts, .array(of: requests.map(\.amount)), .array(of: requests.map(\.limit))],
                deadline: deadline
            )
            return held
        }
        var before: [String: Int] = [:]
        for row in rows { before[try row.read("scope")] = try row.read("granted") }
        return requests.map { request in
            max(0, min(request.amount, request.limit - (before[request.scope] ?? 0)))
        }
    }
}

enum BudgetStatements {
    static let all = [begin, lock, lend, expire]

    static let begin = PostgresStatement(
        "lend_budget",
        """
        INSERT INTO budget (scope, window_start, granted)
        SELECT scope, window_start, 0 FROM unnest($1, $2) AS w (scope, window_start)
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING
        """,
        [PostgresType.text.array, PostgresType.timestamptz.array]
    )

    static let lock = PostgresStatement(
        "lend_budget",
        """
        SELECT b.scope, b.granted
        FROM budget b
        WHERE (b.scope, b.window_start) IN (SELECT * FROM unnest($1, $2))
        ORDER BY b.scope, b.window_start
        FOR UPDATE
        """,
        [PostgresType.text.array, PostgresType.timestamptz.array]
    )

    static let lend = PostgresStatement(
        "lend_budget",
        """
        UPDATE budget b SET granted = greatest(b.granted, least(b.granted + w.amount, w.maximum))
        FROM unnest($1, $2, $3, $4) AS w (scope, window_start, amount, maximum)
        WHERE b.scope = w.scope AND b.window_start = w.window_start
        """,
        [
            PostgresType.text.array, PostgresType.timestamptz.array, PostgresType.int8.array, PostgresType.int8.array,
        ]
    )

    /// Removes windows that are over; the longest window is a month.
    static let expire = PostgresStatement(
        "expire_budgets",
        "DELETE FROM budget WHERE ctid = ANY (ARRAY(SELECT ctid FROM budget WHERE window_start < $1 LIMIT $2))",
        [.timestamptz, .int8]
    )
}
