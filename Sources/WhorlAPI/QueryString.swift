import Foundation

extension Int {
    /// A number of digits only, as ids are written; nil for `+1`, `-1` and everything else.
    init?(digits: some StringProtocol) {
        guard digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        self.init(digits)
    }
}

/// Reads the query of a URL as browsers write it: `+` is a blank, the rest percent-encoded.
enum QueryString {
    static func parse(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&")
            .map { pair in
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (decoded(sides[0]), sides.count > 1 ? decoded(sides[1]) : "")
            }
    }

    /// A name or value; one that is wrongly encoded stays as it was written.
    static func decoded(_ text: some StringProtocol) -> String {
        let blanks = text.replacingOccurrences(of: "+", with: " ")
        return blanks.removingPercentEncoding ?? blanks
    }
}
