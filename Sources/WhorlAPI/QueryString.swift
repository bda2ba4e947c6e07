import Foundation

extension Int {
    /// Parses a number that consists only of digits, as in ids; nil for `+1`, `-1` and everything else.
    init?(digits: some StringProtocol) {
        guard digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        self.init(digits)
    }
}

/// Parses the query of a URL as browsers encode it: `+` is a space, and the rest is percent-encoded.
enum QueryString {
    static func parse(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&")
            .map { pair in
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (decoded(sides[0]), sides.count > 1 ? decoded(sides[1]) : "")
            }
    }

    /// Decodes a name or value; invalid percent-encoding is kept unchanged.
    static func decoded(_ text: some StringProtocol) -> String {
        let blanks = text.replacingOccurrences(of: "+", with: " ")
        return blanks.removingPercentEncoding ?? blanks
    }
}
