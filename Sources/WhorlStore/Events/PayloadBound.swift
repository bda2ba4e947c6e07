import WhorlPostgres

/// Bounds the bytes of payloads that one statement brings into memory: an event may have a mebibyte, a page a hundred
/// events.
///
/// A bounded statement ends after the row with which its payloads reach 4 MiB. Its column `found` says how many rows
/// there were without the bound. The length of a payload is known without reading it.
enum PayloadBound {
    private static let head: StaticString = """
        SELECT * FROM (SELECT q.*, count(*) OVER () AS found,
            coalesce(sum(octet_length(q.payload)) OVER (ORDER BY
        """
    private static let middle: StaticString = """
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
        FROM (

        """
    private static let tail: StaticString = """

        ) AS q) AS p
        WHERE bytes_before < 4194304
        ORDER BY
        """

    /// The statement with the bound; `order` is its own order, by the names of its columns.
    static func bounded(_ statement: String, order: StaticString) -> String {
        "\(head) \(order)\(middle)\(statement)\(tail) \(order)"
    }

    static func bounded(_ statement: SQLFragment, order: StaticString) -> SQLFragment {
        var sql = SQLFragment(head)
        sql.append(" ")
        sql.append(order)
        sql.append(middle)
        sql.append(statement)
        sql.append(tail)
        sql.append(" ")
        sql.append(order)
        return sql
    }
}
