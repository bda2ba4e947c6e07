import WhorlPostgres

/// Limits the payload bytes that one statement loads into memory.
///
/// An event may have 1 MiB and a page 100 events. A bounded statement ends after the row with which its payloads reach
/// 4 MiB. Its column `found` is the number of rows without the limit. Postgres knows the length of a payload without
/// reading it.
enum PayloadBound {
    /// Wraps a statement with the limit; `order` is the statement's own sort order, in terms of its column names.
    static func bounded(_ statement: SQLFragment, order: SQLFragment) -> SQLFragment {
        """
        SELECT * FROM (
            SELECT q.*, count(*) OVER () AS found,
                coalesce(sum(octet_length(q.payload)) OVER (
                    ORDER BY \(order) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
            FROM (

        \(statement)

            ) AS q
        ) AS p
        WHERE bytes_before < 4194304
        ORDER BY \(order)
        """
    }

    /// Wraps a statement with a fixed text.
    static func bounded(_ statement: String, order: String) -> String {
        bounded(SQLFragment(stringLiteral: statement), order: SQLFragment(stringLiteral: order)).sql
    }
}
