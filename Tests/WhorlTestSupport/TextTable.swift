/// Tables in test sources: one row per line, cells separated by `|` and aligned with spaces.
package enum TextTable {
    /// A row with one space on each side of every separator.
    package static func row(_ cells: [String]) -> String { cells.joined(separator: " | ") }

    /// The text without the alignment of its cells, so that it can be compared with rows.
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
