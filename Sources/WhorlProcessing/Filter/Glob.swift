/// A pattern in which `*` stands for any characters and `?` for one; letters match in either case.
///
/// Matching goes back at most to the last star, so its time is bounded by the product of the two lengths, and both are
/// bounded here.
public struct Glob: Sendable, Equatable {
    /// Longer patterns are refused.
    public static let maxPatternBytes = 200
    /// Only so much of a text is looked at.
    private static let maxTextBytes = 2_048

    private let pattern: [UInt8]

    /// Nil when the pattern is empty or too long.
    public init?(_ pattern: String) {
        guard (1...Self.maxPatternBytes).contains(pattern.utf8.count) else { return nil }
        self.pattern = pattern.utf8.map(Self.folded)
    }

    /// Whether the whole text fits the pattern.
    public func matches(_ text: String) -> Bool {
        let text = text.utf8.prefix(Self.maxTextBytes).map(Self.folded)
        var at = 0
        var place = 0
        var star: (place: Int, at: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                star = (place, at)
                place += 1
            } else if place < pattern.count, pattern[place] == UInt8(ascii: "?") || pattern[place] == text[at] {
                place += 1
                at += 1
            } else if let last = star {
                star = (last.place, last.at + 1)
                place = last.place + 1
                at = last.at + 1
            } else {
                return false
            }
        }
        while place < pattern.count, pattern[place] == UInt8(ascii: "*") { place += 1 }
        return place == pattern.count
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
