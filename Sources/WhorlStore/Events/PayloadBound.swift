import WhorlPostgres

/// Bounds the bytes of payloads that one statement brings into memory: an event may have a mebibyte, a page a hundred
/// events.
///
/// A bounded statement ends after the row with which its payloads reach 4 MiB. Its column `found` says how many rows
/// there were without the bound. The length of a payload is known without reading it.
enum PayloadBound {
    /// The statement with the bound; `order` is its own order, by the names of its columns.
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

    /// The same for a statement that is written once.
    static func bounded(_ statement: String, order: String) -> String {
        bounded(SQLFragment(stringLiteral: statement), order: SQLFragment(stringLiteral: order)).sql
    }
}
