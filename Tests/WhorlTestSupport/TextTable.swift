/// Tables in test sources: one row a line, cells separated by `|`, aligned for the reader.
package enum TextTable {
    /// A row with one blank around each cell's separator.
    package static func row(_ cells: [String]) -> String { cells.joined(separator: " | ") }

    /// The text with the alignment of its cells removed, so that it can be compared with rows.
    package static func aligned(_ text: String) -> String {
        text.split(separator: "\n")
            .map { line in
                row(
                    line.split(separator: "|", omittingEmptySubsequences: false)
                        .map { cell in
                            cell.split(separator: " ").joined(separator: " ")
                        }
                )
            }
            .joined(separator: "\n")
    }
}
